// What JSON.parse finds in messages; the lines are those of read.py.
"use strict";

const lines = require("node:readline").createInterface({ input: process.stdin });
const decoder = new TextDecoder();

function reading(message) {
  let value;
  try {
    value = JSON.parse(decoder.decode(message));
  } catch {
    return null;
  }
  const { method = null, params } = value ?? {};
  const { name = null, uri = null } = params ?? {};
  return [method, name, uri];
}

let answers = "";
lines.on("line", (line) => {
  answers += JSON.stringify(reading(Buffer.from(line, "hex"))) + "\n";
});
lines.on("close", () => process.stdout.write(answers));
