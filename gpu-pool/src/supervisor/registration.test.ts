import { expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Registration } from "./registration.ts";

test("a node tells every edge where it is, and says goodbye; what fails is said once", async () => {
  const heard: string[] = [];
  let status = 204;
  const edge = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    heard.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => edge.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(edge.address() as AddressInfo).port}`;
  const logged: string[] = [];
  const registration = new Registration({
    edges: [origin],
    token: "nt_x",
    address: "10.0.0.7:50051",
    log: (message) => logged.push(message),
  });
  while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  status = 401;
  await registration.leave();
  await registration.leave();
  expect(heard.slice(0, 2)).toEqual([
    'PUT /v1/nodes/self Bearer nt_x {"address":"10.0.0.7:50051"}',
    "DELETE /v1/nodes/self Bearer nt_x ",
  ]);
  expect(logged).toEqual([`the edge ${origin} answered 401`]);
  edge.closeAllConnections();
  edge.close();
});
