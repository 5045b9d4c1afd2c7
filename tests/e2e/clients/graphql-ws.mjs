// graphql-ws connects again by itself, and sends the payload as it is by then.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { events, fail, query, soon, tell, url } from "./subscription.mjs";

const client = createClient({
  url: url.replace(/^http/, "ws"),
  webSocketImpl: WebSocket,
  retryAttempts: 1000,
  retryWait: soon,
  shouldRetry: () => true, // only a CloseEvent is tried again by default, and a refused connection is told by another event, in browsers too
});
const payload = { query, variables: { after: null } };

client.subscribe(payload, {
  next({ data, errors }) {
    if (errors) fail(errors);
    payload.variables.after = data.opportunityStageChanged.cursor;
    if (tell(data)) client.dispose();
  },
  error: fail,
  complete() {},
});
