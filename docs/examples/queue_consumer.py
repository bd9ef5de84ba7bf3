# A push consumer with nothing but Python's standard library: QUEUE_SECRET=... python3 queue_consumer.py
import base64, hashlib, hmac, json, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["QUEUE_SECRET"].removeprefix("whsec_"))


def is_genuine(headers, body):
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > 300:
        return False
    signed = ("%s.%s." % (headers.get("webhook-id", ""), sent_at)).encode() + body
    wanted = b"v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "").encode().split()  # one of each secret, while secrets are changed
    return any(hmac.compare_digest(wanted, one) for one in given)


class Consumer(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_genuine(self.headers, body):
            return self.send_error(401)
        acks, retries = [], []
        for message in json.loads(body)["messages"]:
            try:
                print("working on", message["id"], message["body"], flush=True)
                acks.append({"id": message["id"]})
            except Exception:
                retries.append({"id": message["id"], "delay_seconds": 30})
        answer = json.dumps({"acks": acks, "retries": retries}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Consumer).serve_forever()
