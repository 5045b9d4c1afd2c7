// What browsers have and an older Node.js lacks.
import WebSocket from "ws";

globalThis.WebSocket ??= WebSocket;
