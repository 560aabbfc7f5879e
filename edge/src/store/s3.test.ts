import { expect, test } from "bun:test";
import { AwsClient } from "aws4fetch";
import { S3Store } from "./s3.ts";

// The example of Amazon's "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
const example = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
};

test("the signature that presigned URLs carry is Amazon's own for the documented example", async () => {
  const client = new AwsClient({ ...example, service: "s3" });
  const signed = await client.sign("https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Expires=86400", {
    aws: { signQuery: true, datetime: "20130524T000000Z" },
  });
  expect(new URL(signed.url).searchParams.get("X-Amz-Signature")).toBe(
    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});

test("presigned PUTs bind the content type, GETs the answer's type and name", async () => {
  const store = new S3Store({
    ...example,
    endpoint: "https://s3.example.com",
    publicEndpoint: "https://cdn.example.com",
    bucket: "results",
    prefix: "/a/b/",
  });
  const put = new URL(
    (await store.signPut("renders/j/a1/clip.mp4", { expiresInSeconds: 9, contentType: "video/mp4" })).url,
  );
  expect(put.origin + put.pathname).toBe("https://s3.example.com/results/a/b/renders/j/a1/clip.mp4");
  expect(put.searchParams.get("X-Amz-SignedHeaders")).toBe("content-type;host");
  expect(put.searchParams.get("X-Amz-Expires")).toBe("9");
  const get = new URL(
    await store.signGet("renders/j/a1/clip.mp4", { expiresInSeconds: 1e9, origin: "", downloadAs: "x.mp4" }),
  );
  expect(get.origin).toBe("https://cdn.example.com");
  expect(get.searchParams.get("response-content-type")).toBe("video/mp4");
  expect(get.searchParams.get("X-Amz-Expires")).toBe("604800");
});
