// Apollo Client subscribes over multipart HTTP by itself where its link is HttpLink; coming back is the application's business.
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";

import { fail, query, soon, tell, url } from "./subscription.mjs";

const client = new ApolloClient({ link: new HttpLink({ uri: url }), cache: new InMemoryCache() });
let after = null;

function subscribe() {
  const subscription = client.subscribe({ query: gql(query), variables: { after }, fetchPolicy: "no-cache" }).subscribe({
    next({ data, error }) {
      if (CombinedGraphQLErrors.is(error)) fail(error);
      if (error) {
        subscription.unsubscribe();
        comeBack();
      } else {
        after = data.opportunityStageChanged.cursor;
        if (tell(data)) process.exit(0);
      }
    },
    error: comeBack,
    complete: () => fail("the subscription has ended"),
  });
}

function comeBack() {
  soon().then(subscribe);
}

subscribe();
