// get.js URL h1|h2: prints status and body of one request by Node's own clients.
const [url, version] = process.argv.slice(2);
const done = (status, body) => { console.log(status, body); process.exit(0); };
const fail = (e) => { console.error(e.message); process.exit(1); };

if (version === "h2") {
    const session = require("http2").connect(url).on("error", fail);
    const request = session.request({ ":path": new URL(url).pathname }).on("error", fail);
    let status, body = "";
    request.on("response", (h) => { status = h[":status"]; }).on("data", (d) => { body += d; });
    request.on("end", () => done(status, body)).end();
} else {
    require("https").get(url, (answer) => {
        let body = "";
        answer.on("data", (d) => { body += d; }).on("end", () => done(answer.statusCode, body));
    }).on("error", fail);
}
