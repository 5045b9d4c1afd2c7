import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./page.css";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
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

const { endpoint, subscriptionUrl, defaultTabs } = JSON.parse(document.getElementById("settings").textContent);

const fetcher = createGraphiQLFetcher({
  url: endpoint,
  subscriptionUrl: subscriptionUrl ? socketUrl(subscriptionUrl) : undefined,
});

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
  </GraphiQL>,
);
