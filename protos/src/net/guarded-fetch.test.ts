import { afterAll, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { isLoopbackHost, isPublicAddress } from "./address.ts";
import { GuardedFetchError, guardedFetch } from "./guarded-fetch.ts";

const server: Server = createServer((request, response) => {
  if (request.url === "/redirect") response.writeHead(302, { location: "http://169.254.169.254/meta" }).end();
  else if (request.url === "/loop") response.writeHead(302, { location: "/loop" }).end();
  else if (request.url === "/big")
    response.writeHead(200, { "content-type": "audio/wav" }).end("x".repeat(5000));
  else if (request.url === "/slow") setTimeout(() => response.end("late"), 5000).unref();
  else if (request.method === "POST") request.pipe(response.writeHead(201, { "content-type": "text/plain" }));
  else response.writeHead(200, { "content-type": "audio/wav" }).end(`host ${request.headers.host}`);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const limits = { maxBytes: 1000, timeoutMs: 2000 };
const allowHosts = [`127.0.0.1:${port}`, `localhost:${port}`];
const refused = async (url: string, options = {}) => {
  const error = await guardedFetch(url, { ...limits, ...options }).catch((e) => e);
  expect(error).toBeInstanceOf(GuardedFetchError);
  return (error as GuardedFetchError).code;
};

describe("isPublicAddress", () => {
  test.each([
    "127.0.0.1",
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "not an address",
  ])("%s is refused", (address) => expect(isPublicAddress(address)).toBe(false));
  test.each(["93.184.216.34", "2606:2800:220:1::1"])("%s is public", (address) =>
    expect(isPublicAddress(address)).toBe(true),
  );
});

test("loopback names", () => {
  expect(["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"].every(isLoopbackHost)).toBe(true);
  expect(["0.0.0.0", "10.0.0.1", "example.com"].some(isLoopbackHost)).toBe(false);
});

describe("guardedFetch", () => {
  test("refuses private targets in every spelling", async () => {
    for (const host of [
      "127.0.0.1",
      "localhost",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "2130706433",
      "0x7f.1",
      "169.254.169.254",
    ])
      expect(await refused(`http://${host}:${port}/`)).toBe("forbidden_address");
  });
  test("refuses other schemes and credentials", async () => {
    expect(await refused("file:///etc/passwd")).toBe("bad_url");
    expect(await refused("gopher://example.com")).toBe("bad_url");
    expect(await refused("http://user:secret@example.com/")).toBe("bad_url");
    expect(await refused("nonsense")).toBe("bad_url");
  });
  test("reads from an allowed host, with the name it was asked by", async () => {
    const answer = await guardedFetch(`http://localhost:${port}/voice`, { ...limits, allowHosts });
    expect(answer.status).toBe(200);
    expect(new TextDecoder().decode(answer.body)).toBe(`host localhost:${port}`);
  });
  test("hands a body on piece by piece, and a sink's own failure as it is", async () => {
    let text = "";
    const sink = (chunk: Uint8Array) => {
      text += new TextDecoder().decode(chunk);
    };
    const answer = await guardedFetch(`http://localhost:${port}/voice`, { ...limits, allowHosts, sink });
    expect([text, answer.body.length]).toEqual([`host localhost:${port}`, 0]);
    const full = guardedFetch(`http://localhost:${port}/voice`, {
      ...limits,
      allowHosts,
      sink: () => {
        throw new RangeError("disk full");
      },
    });
    expect(full).rejects.toThrow("disk full");
    expect(await refused(`http://127.0.0.1:${port}/big`, { allowHosts, sink })).toBe("too_large");
  });
  test("posts a body", async () => {
    const answer = await guardedFetch(`http://127.0.0.1:${port}/`, {
      ...limits,
      allowHosts,
      method: "POST",
      body: "hello",
    });
    expect([answer.status, new TextDecoder().decode(answer.body)]).toEqual([201, "hello"]);
  });
  test("checks redirects again", async () => {
    expect(await refused(`http://127.0.0.1:${port}/redirect`, { allowHosts })).toBe("forbidden_address");
    expect(await refused(`http://127.0.0.1:${port}/loop`, { allowHosts })).toBe("too_many_redirects");
  });
  test("limits size, time and type", async () => {
    expect(await refused(`http://127.0.0.1:${port}/big`, { allowHosts })).toBe("too_large");
    expect(await refused(`http://127.0.0.1:${port}/slow`, { allowHosts, timeoutMs: 200 })).toBe("timeout");
    expect(await refused(`http://127.0.0.1:${port}/v`, { allowHosts, contentTypes: ["image/"] })).toBe(
      "wrong_type",
    );
  });
});
