/**
 * Loaded before the application with `--import`: on SIGUSR2 it writes into the file that ROUTES names every route of its
 * routers, and every event that the dashboard listens to on the socket of a page. What it hears there, it prints.
 */
import { renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const nodeRed = createRequire(createRequire(import.meta.url).resolve("node-red"));
const express = nodeRed("express");
const dashboard = createRequire(createRequire(import.meta.url).resolve("node-red-dashboard/package.json"));
const { Socket } = dashboard("socket.io");

const apps = new Set();
const { init } = express.application;
express.application.init = function () {
  apps.add(this);
  return init.call(this);
};

const events = new Set();
const { on } = Socket.prototype;
Socket.prototype.on = function (name, listener) {
  events.add(name);
  return on.call(this, name, (...args) => {
    console.log(`heard ${JSON.stringify({ socket: this.id, event: name, value: args[0] })}`);
    return listener(...args);
  });
};

/** Express keeps a mount path as a regular expression: `^\/ui\/?(?=\/|$)`. */
const mountOf = ({ regexp }) =>
  regexp.fast_slash ? "" : regexp.source.replace("\\/?(?=\\/|$)", "").replaceAll("\\", "").replace(/^\^/, "");

function routesOf(stack, base) {
  return stack.flatMap((layer) => {
    const { route, handle, name } = layer;
    if (route) {
      const paths = Array.isArray(route.path) ? route.path : [route.path];
      return paths.map((path) => ({
        base,
        path: typeof path === "string" ? path : path.source,
        isPattern: typeof path !== "string",
        methods: Object.keys(route.methods).map((method) => method.toUpperCase()),
      }));
    }
    if (handle.stack) return routesOf(handle.stack, base + mountOf(layer));
    // What answers all methods below a path: files, applications that are walked by themselves, and own handlers.
    return [{ base, path: mountOf(layer), isPattern: false, methods: [], name }];
  });
}

process.on("SIGUSR2", () => {
  const routes = [...apps].flatMap((app) => (app._router ? routesOf(app._router.stack, app.path()) : []));
  writeFileSync(`${process.env.ROUTES}.new`, JSON.stringify({ routes, events: [...events] }));
  renameSync(`${process.env.ROUTES}.new`, process.env.ROUTES);
});
