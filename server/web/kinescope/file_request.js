// Uploads the chosen files one after the other, by tus 1.0.0: what breaks is taken up where it broke.
"use strict";

const PIECE = 16 * 1024 * 1024; // bytes of a request
const MEDIA = /^(video|audio)\/|^application\/(octet-stream|mxf|ogg)$/; // what browsers say; of many files, nothing
const NAMES = /\.(mkv|m?ts|m2ts|mxf|flv|mp4|mov|webm|avi)$/i;
const WAITS_S = [1, 2, 5, 10, 20, 30, 60, 60, 60]; // between tries without a byte of progress

const main = document.querySelector("main");
const list = document.querySelector("ul");
const label = document.querySelector("label");
const input = document.querySelector("input");
let queue = Promise.resolve();
let under_way = 0;

addEventListener("beforeunload", (event) => { if (under_way) event.preventDefault(); });

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
    under_way++;
    queue = queue.then(() => send(file, row)).then(
      () => row.end("is uploaded.", "done"),
      (error) => row.end(error.final ? error.message : "could not be uploaded: the connection is broken.", "failed"),
    ).then(() => { under_way--; });
  }
  input.value = "";
}

function shown(file) {
  const item = list.appendChild(document.createElement("li"));
  const text = item.appendChild(document.createElement("span"));
  const bar = item.appendChild(document.createElement("progress"));
  bar.max = file.size || 1;
  bar.value = 0;
  const say = (words, state) => { text.textContent = `${file.name} ${words}`; item.dataset.state = state; };
  say("waits for the others.", "waiting");
  return {
    end: (words, state) => { bar.hidden = true; say(words, state); },
    reach: (offset) => { bar.value = offset; say(`${Math.floor(100 * offset / bar.max)} %`, "sending"); },
    pause: () => say("waits for the connection.", "paused"),
  };
}

async function send(file, row) {
  if (!file.size) throw refusal("is empty.");
  if (file.type && !MEDIA.test(file.type) && !NAMES.test(file.name)) throw refusal("is no video and no sound.");
  row.reach(0);
  const url = await trying(() => begin(file), row);
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
      await wait(failures++, error, row);
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
  if (answer.status >= 500 || [409, 423, 429].includes(answer.status)) throw new Error(answer.statusText);
  throw refusal(`could not be uploaded: ${await reason(answer, method)}`);
}

async function reason(answer, method) {
  if ([401, 403, 404, 410].includes(answer.status)) return "this page takes no files any more.";
  if (answer.status === 415) return "files of this type are not taken here.";
  if (answer.status === 413) return "the file is too large.";
  const told = method === "HEAD" ? {} : await answer.json().catch(() => ({}));
  return told.detail || told.title || `the answer was ${answer.status}.`;
}

// What another try would not change.
function refusal(words) {
  return Object.assign(new Error(words), { final: true });
}

async function trying(what, row) {
  for (let failures = 0; ; failures++) {
    try {
      return await what();
    } catch (error) {
      await wait(failures, error, row);
    }
  }
}

// For a while, or until the connection is back.
async function wait(failures, error, row) {
  if (error.final || failures >= WAITS_S.length) throw error;
  row.pause();
  await new Promise((resolve) => {
    setTimeout(resolve, WAITS_S[failures] * 1000);
    addEventListener("online", resolve, { once: true });
  });
}
