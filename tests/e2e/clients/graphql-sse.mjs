// graphql-sse connects again by itself, with headers made anew: the last event is named as a browser's EventSource does it.
import { createClient } from "graphql-sse";

import { fail, query, soon, tell, url } from "./subscription.mjs";

let last;
const client = createClient({
  url,
  headers: () => (last === undefined ? {} : { "last-event-id": last }),
  retryAttempts: 1000,
  retry: soon,
});

client.subscribe(
  { query },
  {
    next({ data, errors }) {
      if (errors) fail(errors);
      last = data.opportunityStageChanged.cursor;
      if (tell(data)) client.dispose();
    },
    error: fail,
    complete() {},
  },
);
