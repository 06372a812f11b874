/**
 * A self-signed certificate for `localhost`, `secure.example` and 127.0.0.1, valid until 2120. It guards nothing: it lets tests speak TLS
 * on loopback. No system trusts it, which is itself something to test.
 */
export const LOOPBACK_CERTIFICATE = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNbJ/ocrKt/KJN1QV
5WourjZhFMywdASardsUbvnoM6yhRANCAATyAWEydppBe+Au4oyl3yHFW1p2go72
T5P0sIzsFt+17IznMgjNIQfZZK9qQNp6HScXGjSyU6wRBwR4kDjmruir
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBijCCATCgAwIBAgIBATAKBggqhkjOPQQDAjAfMR0wGwYDVQQDDBRGYWlybGVh
ZCB0ZXN0IHNlcnZlcjAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFow
HzEdMBsGA1UEAwwURmFpcmxlYWQgdGVzdCBzZXJ2ZXIwWTATBgcqhkjOPQIBBggq
hkjOPQMBBwNCAATyAWEydppBe+Au4oyl3yHFW1p2go72T5P0sIzsFt+17IznMgjN
IQfZZK9qQNp6HScXGjSyU6wRBwR4kDjmruiro1swWTAMBgNVHRMEBTADAQH/MCoG
A1UdEQQjMCGCCWxvY2FsaG9zdIIOc2VjdXJlLmV4YW1wbGWHBH8AAAEwHQYDVR0O
BBYEFFIvcOEcZvQmT9K4vJ95khfpuvK5MAoGCCqGSM49BAMCA0gAMEUCICBK9iAn
reV8LfJJJ1X20J9RZFxEa9AtdgX1UZ6wStdLAiEAtmdIKKB+pUgX03WKss65RU7v
RD7zyuZebAh22uapLX0=
-----END CERTIFICATE-----`,
};
