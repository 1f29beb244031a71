import init, { start } from "./ui.js";

const message = document.getElementById("message");
try {
  if (!document.createElement("canvas").getContext("webgl2") && !document.createElement("canvas").getContext("webgl")) {
    throw new Error("this webview has no WebGL");
  }
  await init();
  await start();
  message.remove();
  document.documentElement.dataset.ready = "true";
} catch (error) {
  message.textContent =
    `The window cannot draw: ${error?.message ?? error}\n\n` +
    "Recording goes on. Start turbine-nox --native for a window that needs no webview.\n" +
    "L'enregistrement continue. Lancez turbine-nox --native pour une fenêtre sans webview.";
}
