import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./page.css";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { useGraphiQL } from "@graphiql/react";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createClient } from "graphql-ws";
import { useEffect } from "react";
import { createRoot } from "react-dom/client";

// The query string is the version of the build, which the page puts on every asset: see server/graphiql/__init__.py.
const version = new URL(import.meta.url).search;

globalThis.MonacoEnvironment = {
  getWorker(_moduleId, label) {
    const name = label === "json" || label === "graphql" ? label : "editor";
    return new Worker(new URL(`${name}.worker.js${version}`, import.meta.url), { name });
  },
};

/** The WebSocket address of a path of our own origin. */
function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

const NOT_CONNECTED = "There is no WebSocket connection to the server: it has stopped, or something between it and the browser refuses one.";
const CONNECTION_LOST =
  "The connection to the server was lost. The page connects again when the server is back; the next event then replaces this message.";

const { endpoint, subscriptionUrl, defaultTabs } = JSON.parse(document.getElementById("settings").textContent);

/**
 * A client for one subscription, which says `headers` to the server when it connects, and outlives a server that stops and comes back.
 *
 * It then subscribes anew with the same document and variables. Of any subscription it cannot know where to go on: what happened
 * while the server was away is missing, unless the variables name a place to begin at, from which everything is told again.
 */
function subscriptionClient(headers) {
  let wasConnected = false;
  const client = createClient({
    url: socketUrl(subscriptionUrl),
    connectionParams: headers,
    // A browser tells of a refused connection by an event without a code, after which graphql-ws does not try again by itself.
    // Where there has been no connection at all, there may never be one, and the person is told at once.
    shouldRetry: () => wasConnected,
    retryAttempts: Infinity, // the answer says so meanwhile, and the stop button ends it
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 1000 + 2000 * Math.random())),
    on: { connected: () => (wasConnected = true) },
  });
  const subscribe = (payload, sink) => {
    client.on("connecting", (isRetry) => isRetry && sink.next({ errors: [{ message: CONNECTION_LOST }] }));
    return client.subscribe(payload, { ...sink, error: (error) => sink.error(inWords(error)) });
  };
  return { ...client, subscribe };
}

/** The toolkit finds words for an event with a code; of any other it would show its properties, of which none means anything. */
function inWords(error) {
  return error instanceof Event && !(error instanceof CloseEvent) ? new Error(NOT_CONNECTED) : error;
}

/** Each run has a client of its own, since the header editor may say something else by then; it connects if it has to. */
function fetcher(parameters, options) {
  const wsClient = subscriptionUrl ? subscriptionClient(options?.headers) : undefined;
  return createGraphiQLFetcher({ url: endpoint, wsClient })(parameters, options);
}

/**
 * Wraps long lines of the query, as GraphiQL wraps those of the answer, and begins there: the explorer would take the keyboard for the
 * first argument that it shows, and the first key would change the query.
 */
function QueryFirst() {
  const editor = useGraphiQL(({ queryEditor }) => queryEditor);
  const tab = useGraphiQL(({ activeTabIndex }) => activeTabIndex);
  useEffect(() => editor?.updateOptions({ wordWrap: "on", wrappingIndent: "indent" }), [editor]);
  useEffect(() => editor?.focus(), [editor, tab]);
  return null;
}

// GraphiQL takes the query of the first default tab into its editors, but neither its variables nor its headers.
const firstVisit = localStorage.getItem("graphiql:tabState") === null;
const [firstTab] = firstVisit ? defaultTabs : [];

const explorer = explorerPlugin({ showAttribution: false }); // the attribution is a link elsewhere
const plugins = [HISTORY_PLUGIN, explorer];

createRoot(document.getElementById("graphiql")).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={plugins}
    visiblePlugin={window.innerWidth < 1000 ? undefined : explorer} // it would leave the query no room
    defaultTabs={defaultTabs.length ? defaultTabs : undefined}
    defaultQuery=""
    initialVariables={firstTab?.variables ?? undefined}
    initialHeaders={firstTab?.headers ?? undefined}
    defaultEditorToolsVisibility
    inputValueDeprecation
    schemaDescription
  >
    <GraphiQL.Logo>crmgraph</GraphiQL.Logo>
    <QueryFirst />
  </GraphiQL>,
);
