// A round through the API with types that openapi-typescript made of the server's own document.
//
//     node generated_client.js http://127.0.0.1:8080 KEY FILE

import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi";

const [base, key, file] = process.argv.slice(2);

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} did not answer as the document says`);
  return value;
}

async function main(): Promise<void> {
  const client = createClient<paths>({
    baseUrl: base,
    headers: { Authorization: `Basic ${Buffer.from(`${key}:`).toString("base64")}` },
  });
  const made = await client.POST("/videos", { body: { title: "Made by a generated client", tags: ["ts"] } });
  const video: components["schemas"]["VideoAnswer"] = must(made.data, "POST /videos");

  const bytes = await readFile(must(file, "the file"));
  const sent = await client.POST("/videos/{videoId}/source", {
    params: { path: { videoId: video.videoId } },
    body: { file: "" },
    bodySerializer: () => {
      const form = new FormData();
      form.append("file", new Blob([bytes]), "clip.mp4");
      return form;
    },
  });
  must(sent.data, "POST /videos/{videoId}/source");

  const listed = await client.GET("/videos", { params: { query: { "tags[]": ["ts"], pageSize: 10 } } });
  const page = must(listed.data, "GET /videos");
  const shown = must(
    (await client.GET("/videos/{videoId}", { params: { path: { videoId: video.videoId } } })).data,
    "GET /videos/{videoId}",
  );
  const missing = await client.GET("/videos/{videoId}", { params: { path: { videoId: "vi1111111111111111111111" } } });
  const problem: components["schemas"]["Problem"] = must(missing.error, "a video that is not there");

  process.stdout.write(
    JSON.stringify({
      title: shown.title,
      listed: page.data.map((each) => each.videoId).includes(video.videoId),
      total: page.pagination.itemsTotal,
      problem: [problem.status, problem.type, problem.name],
    }),
  );
}

main().catch((error) => {
  process.stderr.write(String(error));
  process.exit(1);
});
