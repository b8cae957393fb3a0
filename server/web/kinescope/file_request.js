// Uploads the chosen files one after the other, by tus 1.0.0: what breaks is taken up where it broke.
"use strict";

const PIECE = 16 * 1024 * 1024; // bytes of a request
const WAITS_S = [1, 2, 5, 10, 20, 30, 60, 60, 60]; // between tries without a byte of progress

const main = document.querySelector("main");
const list = document.querySelector("ul");
const label = document.querySelector("label");
const input = document.querySelector("input");
let queue = Promise.resolve();

input.addEventListener("change", () => take(input.files));
label.addEventListener("dragover", (event) => { event.preventDefault(); label.classList.add("over"); });
label.addEventListener("dragleave", () => label.classList.remove("over"));
label.addEventListener("drop", (event) => {
  event.preventDefault();
  label.classList.remove("over");
  take(event.dataTransfer.files);
});

function take(files) {
  for (const file of files) {
    const row = shown(file);
    queue = queue.then(() => send(file, row)).then(() => row.say("is uploaded."), (error) => row.say(error.message));
  }
  input.value = "";
}

function shown(file) {
  const item = list.appendChild(document.createElement("li"));
  const text = item.appendChild(document.createElement("span"));
  const bar = item.appendChild(document.createElement("progress"));
  bar.max = file.size || 1;
  bar.value = 0;
  const say = (words) => { text.textContent = `${file.name} ${words}`; item.dataset.state = words; };
  say("waits.");
  return { say, reach: (offset) => { bar.value = offset; say(`${Math.floor(100 * offset / bar.max)} %`); } };
}

async function send(file, row) {
  if (!file.size) throw new Error("is empty.");
  const url = await trying(() => begin(file));
  let offset = 0, known = true, failures = 0;
  while (offset < file.size) {
    try {
      if (!known) offset = await reached(url);
      known = false;
      const before = offset;
      offset = await append(url, file, offset);
      known = true;
      if (offset > before) failures = 0;
      row.reach(offset);
    } catch (error) {
      await wait(failures++, error);
    }
  }
}

async function begin(file) {
  const note = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  const metadata = [`filename ${note(file.name.slice(0, 200))}`];
  if (file.type) metadata.push(`filetype ${note(file.type)}`);
  const answer = await call(`/tus?token=${encodeURIComponent(main.dataset.token)}`, "POST", {
    "Upload-Length": String(file.size), "Upload-Metadata": metadata.join(","),
  });
  return new URL(answer.headers.get("Location"), location.href);
}

async function reached(url) {
  return Number((await call(url, "HEAD", {})).headers.get("Upload-Offset"));
}

async function append(url, file, offset) {
  const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
  const answer = await call(url, "PATCH", headers, file.slice(offset, offset + PIECE));
  return Number(answer.headers.get("Upload-Offset"));
}

async function call(url, method, headers, body) {
  const answer = await fetch(url, { method, body, headers: { "Tus-Resumable": "1.0.0", ...headers } });
  if (answer.ok) return answer;
  const error = new Error(`could not be uploaded (${answer.status}).`);
  error.final = answer.status >= 400 && answer.status < 500 && ![409, 423, 429].includes(answer.status);
  throw error;
}

async function trying(what) {
  for (let failures = 0; ; failures++) {
    try {
      return await what();
    } catch (error) {
      await wait(failures, error);
    }
  }
}

async function wait(failures, error) {
  if (error.final || failures >= WAITS_S.length) throw error;
  await new Promise((resolve) => setTimeout(resolve, WAITS_S[failures] * 1000));
}
