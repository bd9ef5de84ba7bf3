// A push consumer with nothing but Node.js: QUEUE_SECRET=... node queue_consumer.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.QUEUE_SECRET.replace(/^whsec_/, ""), "base64");

function isGenuine(headers, body) {
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  const wanted = Buffer.from("v1," + createHmac("sha256", key).update(signed).update(body).digest("base64"));
  const fresh = Math.abs(Date.now() / 1000 - Number(headers["webhook-timestamp"])) < 300;
  // One signature of each secret, while secrets are changed.
  return fresh && (headers["webhook-signature"] ?? "").split(" ").some((one) => {
    const given = Buffer.from(one);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  const acks = [], retries = [];
  for (const message of JSON.parse(body).messages) {
    try {
      console.log("working on", message.id, message.body);
      acks.push({ id: message.id });
    } catch {
      retries.push({ id: message.id, delay_seconds: 30 });
    }
  }
  response.end(JSON.stringify({ acks, retries }));
}).listen(process.env.PORT ?? 8080, "127.0.0.1");
