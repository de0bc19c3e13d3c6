/* Heads of HTTP/1: what is refused and by which name, what is taken, and that no cut of the wire changes the
 * answer. */
#include "tests/unit/gw/http/h1_help.h"

struct one {
    const char *in;
    size_t n;
    enum h1_why why;
};
#define RAW(text, id)                   \
    {                                   \
        text, sizeof(text) - 1, H1_##id \
    }
#define LINE(line, id)  RAW(line "\r\nHost: a.example\r\n\r\n", id)
#define FIELD(line, id) RAW("GET / HTTP/1.1\r\nHost: a.example\r\n" line "\r\n\r\n", id)
#define HOST(value, id) RAW("GET / HTTP/1.1\r\nHost: " value "\r\n\r\n", id)
#define FRAME(text, id) RAW("POST / HTTP/1.1\r\nHost: a.example\r\n" text "\r\n\r\n", id)

/* threats.md rows 68 to 74 */
static const struct one requests[] = {
    /* start line */
    LINE("GET", START_LINE),
    LINE("GET ", START_LINE),
    LINE("GET  / HTTP/1.1", START_LINE),
    LINE("GET /  HTTP/1.1", START_LINE),
    LINE("GET / HTTP/1.1 ", START_LINE),
    LINE("GET / x HTTP/1.1", START_LINE),
    LINE("GET /a b HTTP/1.1", START_LINE),
    LINE("GET\t/ HTTP/1.1", START_LINE),
    LINE("GET /\tHTTP/1.1", TARGET_BYTE),
    LINE("GET / \tHTTP/1.1", START_LINE),
    LINE("GET /\fHTTP/1.1", TARGET_BYTE),
    LINE("GET /\vHTTP/1.1", TARGET_BYTE),
    LINE(" GET / HTTP/1.1", START_LINE),
    LINE("\tGET / HTTP/1.1", START_LINE),
    LINE("GET\r / HTTP/1.1", BARE_CR),
    LINE("GET /\r HTTP/1.1", BARE_CR),
    LINE("GET / HTTP/1.1\r", BARE_CR),
    LINE("GET / HTTP/1.1\0", NUL),
    LINE("GET /\0 HTTP/1.1", NUL),
    LINE("GET\0 / HTTP/1.1", NUL),
    LINE("\0GET / HTTP/1.1", NUL),
    RAW("\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BARE_LF),
    RAW("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BARE_LF),
    RAW("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", BARE_CR),
    RAW("\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BARE_CR),
    RAW("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", EMPTY_LINES),
    RAW("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BARE_LF),
    RAW("\r\n GET / HTTP/1.1\r\nHost: a\r\n\r\n", START_LINE),
    RAW("GET / HTTP/1.1\nHost: a\n\n", BARE_LF),
    RAW("GET / HTTP/1.1\nHost: a\r\n\r\n", BARE_LF),
    RAW("GET / HTTP/1.1\r\nHost: a\n\r\n", BARE_LF),
    RAW("GET / HTTP/1.1\r\nHost: a\r\n\n", BARE_LF),
    RAW("GET / HTTP/1.1\r\nHost: a\r\nX: 1\n\r\n", BARE_LF),
    RAW("GET / HTTP/1.1\rHost: a\r\r\n", BARE_CR),
    RAW("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", BARE_CR),
    RAW("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", BARE_CR),
    RAW("GET / HTTP/1.1\n\r\nHost: a\r\n\r\n", BARE_LF),
    /* method */
    LINE("get / HTTP/1.1", METHOD),
    LINE("Get / HTTP/1.1", METHOD),
    LINE("GeT / HTTP/1.1", METHOD),
    LINE("GET! / HTTP/1.1", METHOD),
    LINE("G@T / HTTP/1.1", METHOD),
    LINE("G(T / HTTP/1.1", METHOD),
    LINE("GET: / HTTP/1.1", METHOD),
    LINE("\"GET\" / HTTP/1.1", METHOD),
    LINE("{GET / HTTP/1.1", METHOD),
    LINE("G\x01T / HTTP/1.1", METHOD),
    LINE("\xc7"
         "ET / HTTP/1.1",
         METHOD),
    LINE("/ HTTP/1.1", METHOD),
    LINE("\x16\x03\x01", METHOD),
    LINE("HTTP/1.1 200 OK", METHOD),
    LINE("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1", METHOD_LONG),
    LINE("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ", METHOD_LONG),
    LINE("SSH-2", START_LINE),
    /* version */
    LINE("GET /", HTTP09),
    RAW("GET /\r\n", HTTP09),
    RAW("GET /x?y\r\n\r\n", HTTP09),
    LINE("GET / ", START_LINE),
    LINE("GET / HTTP/2.0", VERSION),
    LINE("GET / HTTP/2", VERSION),
    LINE("GET / HTTP/3.0", VERSION),
    LINE("GET / HTTP/0.9", VERSION),
    LINE("GET / HTTP/1.2", VERSION),
    LINE("GET / HTTP/1.9", VERSION),
    LINE("GET / HTTP/1.", VERSION),
    LINE("GET / HTTP/1", VERSION),
    LINE("GET / HTTP/", VERSION),
    LINE("GET / HTTP/1.10", VERSION),
    LINE("GET / HTTP/1.11", VERSION),
    LINE("GET / HTTP/1.32", VERSION),
    LINE("GET / HTTP/01.1", VERSION),
    LINE("GET / HTTP/1.01", VERSION),
    LINE("GET / HTTP/11.1", VERSION),
    LINE("GET / HTTP/-1.1", VERSION),
    LINE("GET / HTTP/+1.1", VERSION),
    LINE("GET / HTTP/1,1", VERSION),
    LINE("GET / HTTP/x.y", VERSION),
    LINE("GET / http/1.1", VERSION),
    LINE("GET / Http/1.1", VERSION),
    LINE("GET / HTTP /1.1", START_LINE),
    LINE("GET / HTTP/ 1.1", START_LINE),
    LINE("GET / HTTP/1 .1", START_LINE),
    LINE("GET / HTTP/1.1x", VERSION),
    LINE("GET / HTTP/1.\xb9", START_LINE),
    LINE("GET / HTTPS/1.1", START_LINE),
    LINE("GET / ICAP/1.0", START_LINE),
    LINE("GET / RTSP/1.0", START_LINE),
    LINE("GET / HTTQ/1.1", START_LINE),
    LINE("GET / XHTTP/1.1", START_LINE),
    LINE("GET / 1.1", START_LINE),
    RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", H2_PREFACE),
    LINE("PRI * HTTP/1.1", TARGET_FORM),
    /* target bytes and forms */
    LINE("GET /\x7f HTTP/1.1", TARGET_BYTE),
    LINE("GET /\x80 HTTP/1.1", TARGET_BYTE),
    LINE("GET /\xc3\xa9 HTTP/1.1", TARGET_BYTE),
    LINE("GET /\xff HTTP/1.1", TARGET_BYTE),
    LINE("GET /\x01 HTTP/1.1", TARGET_BYTE),
    LINE("GET /\x1b[0m HTTP/1.1", TARGET_BYTE),
    LINE("GET /a#b HTTP/1.1", TARGET_FRAGMENT),
    LINE("GET /# HTTP/1.1", TARGET_FRAGMENT),
    LINE("GET # HTTP/1.1", TARGET_FRAGMENT),
    LINE("GET http://a.example/#x HTTP/1.1", TARGET_FRAGMENT),
    LINE("GET a HTTP/1.1", TARGET_FORM),
    LINE("GET a/b HTTP/1.1", TARGET_FORM),
    LINE("GET ?x HTTP/1.1", TARGET_FORM),
    LINE("GET .. HTTP/1.1", TARGET_FORM),
    LINE("GET \\ HTTP/1.1", TARGET_FORM),
    LINE("GET * HTTP/1.1", TARGET_FORM),
    LINE("POST * HTTP/1.1", TARGET_FORM),
    LINE("OPTIONS ** HTTP/1.1", TARGET_FORM),
    LINE("OPTIONS *? HTTP/1.1", TARGET_FORM),
    LINE("GET a.example HTTP/1.1", TARGET_FORM),
    LINE("GET a.example:80 HTTP/1.1", TARGET_FORM),
    LINE("GET a.example:80/x HTTP/1.1", TARGET_FORM),
    LINE("GET :// HTTP/1.1", TARGET_SCHEME),
    LINE("GET http: HTTP/1.1", TARGET_FORM),
    LINE("GET http:/ HTTP/1.1", TARGET_FORM),
    LINE("GET http:a HTTP/1.1", TARGET_FORM),
    LINE("GET http:/a HTTP/1.1", TARGET_FORM),
    LINE("GET http:\\\\a/ HTTP/1.1", TARGET_FORM),
    LINE("GET http:///x HTTP/1.1", TARGET_HOST),
    LINE("GET http:// HTTP/1.1", TARGET_HOST),
    LINE("GET http://?x HTTP/1.1", TARGET_HOST),
    LINE("GET http://:80/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://a,b/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://a%20/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://a\\b/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://a:0/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://a:65536/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://a:x/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://a:-1/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://a:80:80/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://[::1/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://[1.2.3.4]/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://[::1]x/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://[fe80::1%25eth0]/ HTTP/1.1", TARGET_HOST),
    LINE("GET http://u@a/ HTTP/1.1", TARGET_USERINFO),
    LINE("GET http://u:p@a/ HTTP/1.1", TARGET_USERINFO),
    LINE("GET http://@a/ HTTP/1.1", TARGET_USERINFO),
    LINE("GET http://a.example@b.example/ HTTP/1.1", TARGET_USERINFO),
    LINE("GET ftp://a/ HTTP/1.1", TARGET_SCHEME),
    LINE("GET file:///etc/passwd HTTP/1.1", TARGET_SCHEME),
    LINE("GET ws://a/ HTTP/1.1", TARGET_SCHEME),
    LINE("GET gopher://a/ HTTP/1.1", TARGET_SCHEME),
    LINE("GET javascript:x HTTP/1.1", TARGET_SCHEME),
    LINE("GET httpx://a/ HTTP/1.1", TARGET_SCHEME),
    LINE("GET ht-tp://a/ HTTP/1.1", TARGET_FORM),
    LINE("CONNECT / HTTP/1.1", TARGET_HOST),
    LINE("CONNECT a.example HTTP/1.1", CONNECT_PORT),
    LINE("CONNECT a.example: HTTP/1.1", CONNECT_PORT),
    LINE("CONNECT :443 HTTP/1.1", TARGET_HOST),
    LINE("CONNECT a.example:443/ HTTP/1.1", TARGET_HOST),
    LINE("CONNECT http://a.example:443 HTTP/1.1", TARGET_HOST),
    LINE("CONNECT https://a.example HTTP/1.1", TARGET_HOST),
    LINE("CONNECT * HTTP/1.1", TARGET_HOST),
    LINE("CONNECT u@a.example:443 HTTP/1.1", TARGET_USERINFO),
    LINE("CONNECT a.example:0 HTTP/1.1", TARGET_HOST),
    LINE("CONNECT a.example:99999 HTTP/1.1", TARGET_HOST),
    LINE("CONNECT a.example:443?x HTTP/1.1", TARGET_HOST),
    LINE("CONNECT [::1:443 HTTP/1.1", TARGET_HOST),
    LINE("CONNECT ::1:443 HTTP/1.1", TARGET_HOST),
    RAW("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 5\r\n\r\n", CONNECT_BODY),
    RAW("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nTransfer-Encoding: chunked\r\n\r\n", CONNECT_BODY),
    /* field lines */
    FIELD("X : 1", NAME_SPACE),
    FIELD("X\t: 1", NAME_SPACE),
    FIELD("X  \t : 1", NAME_SPACE),
    FIELD("Content-Length : 5", NAME_SPACE),
    FIELD("Transfer-Encoding : chunked", NAME_SPACE),
    FIELD("Transfer-Encoding\t:chunked", NAME_SPACE),
    FIELD("X Y: 1", NAME_BYTE),
    FIELD("X", NO_COLON),
    FIELD("X ", NAME_BYTE),
    FIELD("no colon here", NAME_BYTE),
    FIELD(": 1", NO_NAME),
    FIELD(":", NO_NAME),
    FIELD("::", NO_NAME),
    FIELD(" X: 1", FOLD),
    FIELD("\tX: 1", FOLD),
    FIELD(" : 1", FOLD),
    FIELD("X: 1\r\n folded", FOLD),
    FIELD("X: 1\r\n\tfolded", FOLD),
    FIELD("X: 1\r\n ", FOLD),
    FIELD("Transfer-Encoding:\r\n chunked", FOLD),
    FIELD("Transfer-Encoding: chu\r\n nked", FOLD),
    RAW("GET / HTTP/1.1\r\n Host: a\r\n\r\n", FOLD),
    RAW("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", FOLD),
    RAW("GET / HTTP/1.1\r\n x\r\nHost: a\r\n\r\n", FOLD),
    FIELD("X\0: 1", NUL),
    FIELD("X: \0", NUL),
    FIELD("X: a\0b", NUL),
    FIELD("\0X: 1", NUL),
    FIELD("X: \x01", VALUE_BYTE),
    FIELD("X: \x0b", VALUE_BYTE),
    FIELD("X: \x0c", VALUE_BYTE),
    FIELD("X: a\x1f", VALUE_BYTE),
    FIELD("X: \x7f", VALUE_BYTE),
    FIELD("X: 12345678\x7f", VALUE_BYTE),
    FIELD("X: 1234\x7f ninety nine bottles of beer", VALUE_BYTE),
    FIELD("X: \xff\x80\xff\x80 \x7f\xff ninety nine bottles", VALUE_BYTE),
    FIELD("X: 1234567\x08", VALUE_BYTE),
    FIELD("X: a\rb", BARE_CR),
    FIELD("X: a\r", BARE_CR),
    FIELD("X\r: a", BARE_CR),
    FIELD("\rX: a", BARE_CR),
    FIELD("\r: a", BARE_CR),
    FIELD("X\x0b: 1", NAME_BYTE),
    FIELD("X(: 1", NAME_BYTE),
    FIELD("X/Y: 1", NAME_BYTE),
    FIELD("X;Y: 1", NAME_BYTE),
    FIELD("X=Y: 1", NAME_BYTE),
    FIELD("X@Y: 1", NAME_BYTE),
    FIELD("[X]: 1", NAME_BYTE),
    FIELD("{X}: 1", NAME_BYTE),
    FIELD("\"X\": 1", NAME_BYTE),
    FIELD("X\\Y: 1", NAME_BYTE),
    FIELD("X\xc3\xa9: 1", NAME_BYTE),
    FIELD("X\x7f: 1", NAME_BYTE),
    FIELD("GET / HTTP/1.1", NAME_BYTE),
    FIELD("GET /x HTTP/1.1\r\nHost: b", NAME_BYTE),
    FIELD("Content_Length: 5", NAME_TWIN),
    FIELD("ContentLength: 5", NAME_TWIN),
    FIELD("Content.Length: 5", NAME_TWIN),
    FIELD("content-length!: 5", NAME_TWIN),
    FIELD("Transfer_Encoding: chunked", NAME_TWIN),
    FIELD("TransferEncoding: chunked", NAME_TWIN),
    FIELD("Transfer--Encoding: chunked", NAME_TWIN),
    FIELD("'Transfer-Encoding: chunked", NAME_TWIN),
    FIELD("TRANSFER~ENCODING: chunked", NAME_TWIN),
    /* Host */
    RAW("GET / HTTP/1.1\r\n\r\n", HOST_NONE),
    RAW("GET / HTTP/1.1\r\nX: 1\r\n\r\n", HOST_NONE),
    RAW("GET http://a/ HTTP/1.1\r\n\r\n", HOST_NONE),
    RAW("CONNECT a:443 HTTP/1.1\r\n\r\n", HOST_NONE),
    RAW("OPTIONS * HTTP/1.1\r\n\r\n", HOST_NONE),
    FIELD("Host: a.example", HOST_TWO),
    FIELD("Host: b.example", HOST_TWO),
    FIELD("host:", HOST_TWO),
    FIELD("HOST: b", HOST_TWO),
    RAW("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", HOST_TWO),
    RAW("GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HOST_TWO),
    HOST("", HOST_EMPTY),
    HOST(" \t", HOST_EMPTY),
    HOST(":80", HOST_EMPTY),
    HOST("a, b", HOST_LIST),
    HOST("a,b", HOST_LIST),
    HOST("a,", HOST_LIST),
    HOST("u@a", HOST_USERINFO),
    HOST("u:p@a", HOST_USERINFO),
    HOST("a@", HOST_USERINFO),
    HOST("a b", HOST_BYTE),
    HOST("a\tb", HOST_BYTE),
    HOST("a;b", HOST_BYTE),
    HOST("a/b", HOST_BYTE),
    HOST("a/", HOST_BYTE),
    HOST("a?", HOST_BYTE),
    HOST("a#", HOST_BYTE),
    HOST("a\\b", HOST_BYTE),
    HOST("http://a", HOST_PORT),
    HOST("a%41", HOST_BYTE),
    HOST("a\xc3\xa9", HOST_BYTE),
    HOST("\xef\xbd\x81.example", HOST_BYTE),
    HOST("a_b:x", HOST_PORT),
    HOST("a:-1", HOST_PORT),
    HOST("a:+80", HOST_PORT),
    HOST("a:8 0", HOST_PORT),
    HOST("a: 80", HOST_PORT),
    HOST("a :80", HOST_BYTE),
    HOST("a:0", HOST_PORT),
    HOST("a:00", HOST_PORT),
    HOST("a:65536", HOST_PORT),
    HOST("a:000080", HOST_PORT),
    HOST("a:0x50", HOST_PORT),
    HOST("a:80:80", HOST_PORT),
    HOST("::1", HOST_EMPTY),
    HOST("2001:db8::1", HOST_PORT),
    HOST("[::1", HOST_BYTE),
    HOST("[]", HOST_BYTE),
    HOST("[1.2.3.4]", HOST_BYTE),
    HOST("[a.example]", HOST_BYTE),
    HOST("[::1]80", HOST_BYTE),
    HOST("[::1]:x", HOST_PORT),
    HOST("[::1]:0", HOST_PORT),
    HOST("[::1] :80", HOST_BYTE),
    HOST("[::1%eth0]", HOST_BYTE),
    HOST("[v1.x]", HOST_BYTE),
    HOST("x[::1]", HOST_BYTE),
    HOST("[::1].example", HOST_BYTE),
    RAW("GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n", HOST_BYTE),
    RAW("CONNECT a:443 HTTP/1.1\r\nHost: x@y\r\n\r\n", HOST_USERINFO),
    RAW("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", HOST_BYTE),
    /* expectations */
    FRAME("Content-Length: 1\r\nExpect: 200-ok", EXPECT),
    FRAME("Content-Length: 1\r\nExpect:", EXPECT),
    FRAME("Content-Length: 1\r\nExpect: 100-continue, x", EXPECT),
    FRAME("Content-Length: 1\r\nExpect: 100-continue\r\nExpect: 100-continue", EXPECT),
    FRAME("Content-Length: 1\r\nExpect: 100 continue", EXPECT),
};

/* threats.md rows 63 to 65 */
static const struct one framings[] = {
    FRAME("Content-Length: 5\r\nTransfer-Encoding: chunked", CL_AND_TE),
    FRAME("Transfer-Encoding: chunked\r\nContent-Length: 5", CL_AND_TE),
    FRAME("Transfer-Encoding: chunked\r\nContent-Length: 0", CL_AND_TE),
    FRAME("Transfer-Encoding: x\r\nContent-Length: 5", CL_AND_TE),
    FRAME("Transfer-Encoding: identity\r\nContent-Length: 5", CL_AND_TE),
    FRAME("Transfer-Encoding:\r\nContent-Length: 5", CL_AND_TE),
    FRAME("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", TE_TWO),
    FRAME("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", TE_TWO),
    FRAME("Transfer-Encoding: x\r\nTransfer-Encoding: chunked", TE_TWO),
    FRAME("Transfer-Encoding: identity\r\ntransfer-encoding: chunked", TE_TWO),
    FRAME("Transfer-Encoding:\r\nTransfer-Encoding: chunked", TE_TWO),
    FRAME("Transfer-Encoding: identity", TE_CODING),
    FRAME("Transfer-Encoding: gzip", TE_CODING),
    FRAME("Transfer-Encoding: gzip, chunked", TE_CODING),
    FRAME("Transfer-Encoding: identity, chunked", TE_CODING),
    FRAME("Transfer-Encoding: deflate", TE_CODING),
    FRAME("Transfer-Encoding: xchunked", TE_CODING),
    FRAME("Transfer-Encoding: chunke", TE_CODING),
    FRAME("Transfer-Encoding: chunkedd", TE_CODING),
    FRAME("Transfer-Encoding: cow", TE_CODING),
    FRAME("Transfer-Encoding: chunked, chunked", TE_SYNTAX),
    FRAME("Transfer-Encoding: chunked, gzip", TE_SYNTAX),
    FRAME("Transfer-Encoding: chunked, identity", TE_SYNTAX),
    FRAME("Transfer-Encoding: chunked,", TE_SYNTAX),
    FRAME("Transfer-Encoding: ,chunked", TE_SYNTAX),
    FRAME("Transfer-Encoding: , chunked", TE_SYNTAX),
    FRAME("Transfer-Encoding: chunked;", TE_SYNTAX),
    FRAME("Transfer-Encoding: chunked;q=1", TE_SYNTAX),
    FRAME("Transfer-Encoding: chunked ;a=b", TE_SYNTAX),
    FRAME("Transfer-Encoding: \"chunked\"", TE_SYNTAX),
    FRAME("Transfer-Encoding: 'chunked'", TE_SYNTAX),
    FRAME("Transfer-Encoding: chunked x", TE_SYNTAX),
    FRAME("Transfer-Encoding: chun ked", TE_SYNTAX),
    FRAME("Transfer-Encoding: : chunked", TE_SYNTAX),
    FRAME("Transfer-Encoding: chunked\xa0", TE_SYNTAX),
    FRAME("Transfer-Encoding: \xa0"
          "chunked",
          TE_SYNTAX),
    FRAME("Transfer-Encoding: \xef\xbb\xbf"
          "chunked",
          TE_SYNTAX),
    FRAME("Transfer-Encoding: c\xcc\xb6hunked", TE_SYNTAX),
    FRAME("Transfer-Encoding:", TE_SYNTAX),
    FRAME("Transfer-Encoding: ,", TE_SYNTAX),
    FRAME("Transfer-Encoding: \x0b"
          "chunked",
          VALUE_BYTE),
    FRAME("Transfer-Encoding: chunked\x0c", VALUE_BYTE),
    FRAME("Transfer-Encoding: chunked\0", NUL),
    FRAME("Transfer-Encoding: \0chunked", NUL),
    FRAME("Transfer-Encoding: chunked\r", BARE_CR),
    FRAME("Transfer-Encoding: \rchunked", BARE_CR),
    RAW("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", TE_HTTP10),
    RAW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", TE_HTTP10),
    RAW("POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\n\r\n", TE_HTTP10),
    RAW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", CL_AND_TE),
    FRAME("Content-Length: 5\r\nContent-Length: 5", CL_TWO),
    FRAME("Content-Length: 5\r\nContent-Length: 6", CL_TWO),
    FRAME("Content-Length: 0\r\ncontent-length: 5", CL_TWO),
    FRAME("Content-Length:\r\nContent-Length: 5", CL_TWO),
    FRAME("Content-Length: 5, 5", CL_LIST),
    FRAME("Content-Length: 5,5", CL_LIST),
    FRAME("Content-Length: 5, 6", CL_LIST),
    FRAME("Content-Length: ,5", CL_LIST),
    FRAME("Content-Length: 5,", CL_LIST),
    FRAME("Content-Length: +5", CL_SYNTAX),
    FRAME("Content-Length: -5", CL_SYNTAX),
    FRAME("Content-Length: -0", CL_SYNTAX),
    FRAME("Content-Length: 0x5", CL_SYNTAX),
    FRAME("Content-Length: 5x", CL_SYNTAX),
    FRAME("Content-Length: 0_5", CL_SYNTAX),
    FRAME("Content-Length: 1_000", CL_SYNTAX),
    FRAME("Content-Length: 5 5", CL_SYNTAX),
    FRAME("Content-Length: 5 ;", CL_SYNTAX),
    FRAME("Content-Length: 5;", CL_SYNTAX),
    FRAME("Content-Length: 5.0", CL_SYNTAX),
    FRAME("Content-Length: 5e1", CL_SYNTAX),
    FRAME("Content-Length: \"5\"", CL_SYNTAX),
    FRAME("Content-Length: '5'", CL_SYNTAX),
    FRAME("Content-Length: five", CL_SYNTAX),
    FRAME("Content-Length: a", CL_SYNTAX),
    FRAME("Content-Length:", CL_SYNTAX),
    FRAME("Content-Length: \t ", CL_SYNTAX),
    FRAME("Content-Length: \xd9\xa5", CL_SYNTAX),
    FRAME("Content-Length: 5\xa0", CL_SYNTAX),
    FRAME("Content-Length: 5\0", NUL),
    FRAME("Content-Length: 5\x0b", VALUE_BYTE),
    FRAME("Content-Length: 9223372036854775808", CL_HUGE),
    FRAME("Content-Length: 18446744073709551616", CL_HUGE),
    FRAME("Content-Length: 18446744073709551621", CL_HUGE),
    FRAME("Content-Length: 99999999999999999999999999999999", CL_HUGE),
    FRAME("Content-Length: -18446744073709551611", CL_SYNTAX),
    FIELD("Content-Length: x", CL_SYNTAX),
};

#define RESP(line, id)   RAW(line "\r\n\r\n", id)
#define RFIELD(text, id) RAW("HTTP/1.1 200 OK\r\n" text "\r\n\r\n", id)

/* threats.md rows 75 and 76 */
static const struct one responses[] = {
    RESP("", STATUS_LINE),
    RESP("<html>", STATUS_LINE),
    RAW("<html>", STATUS_LINE),
    RAW("hello", STATUS_LINE),
    RAW("\r\nHTTP/1.1 200 OK\r\n\r\n", STATUS_LINE),
    RAW(" HTTP/1.1 200 OK\r\n\r\n", STATUS_LINE),
    RAW("\0", STATUS_LINE),
    RAW("Hello", STATUS_LINE),
    RESP("ICY 200 OK", STATUS_LINE),
    RESP("http/1.1 200 OK", STATUS_LINE),
    RESP("HTTP 200 OK", STATUS_LINE),
    RESP("HTTP/1.1", STATUS_LINE),
    RESP("HTTP/1.1 ", STATUS_LINE),
    RESP("HTTP/1.1 20", STATUS_LINE),
    RESP("HTTP/1.1  200 OK", STATUS_LINE),
    RESP("HTTP/1.1\t200 OK", STATUS_LINE),
    RESP("HTTP/1.1 200\tOK", STATUS_LINE),
    RESP("HTTP/1.1 2000 OK", STATUS_LINE),
    RESP("HTTP/1.1 200OK", STATUS_LINE),
    RESP("HTTP/1.1 200, OK", STATUS_LINE),
    RESP("HTTP/1.1 20x OK", STATUS_CODE),
    RESP("HTTP/1.1 -20 OK", STATUS_CODE),
    RESP("HTTP/1.1 +20 OK", STATUS_CODE),
    RESP("HTTP/1.1 099 OK", STATUS_CODE),
    RESP("HTTP/1.1 000 OK", STATUS_CODE),
    RESP("HTTP/1.1 OK 200", STATUS_LINE),
    RESP("HTTP/1.1 OK. 200", STATUS_CODE),
    RESP("HTTP/1.1 0x2 OK", STATUS_CODE),
    RESP("HTTP/1.2 200 OK", VERSION),
    RESP("HTTP/1.10 200 OK", STATUS_LINE),
    RESP("HTTP/2.0 200 OK", VERSION),
    RESP("HTTP/2 200", VERSION),
    RESP("HTTP/0.9 200 OK", VERSION),
    RAW("HTTP/9", VERSION),
    RESP("HTTP/1.1 200 O\x01K", REASON_BYTE),
    RESP("HTTP/1.1 200 O\x7fK", REASON_BYTE),
    RESP("HTTP/1.1 200 O\0K", NUL),
    RESP("HTTP/1.1 200 O\rK", BARE_CR),
    RESP("HTTP/1.1 200 OK\r", BARE_CR),
    RAW("HTTP/1.1 200 OK\n\n", BARE_LF),
    RAW("HTTP/1.1 200 OK\r\nX: 1\n\r\n", BARE_LF),
    RFIELD("Content-Length: 5\r\nTransfer-Encoding: chunked", CL_AND_TE),
    RFIELD("Transfer-Encoding: chunked\r\nContent-Length: 5", CL_AND_TE),
    RFIELD("Content-Length: 5\r\nContent-Length: 5", CL_TWO),
    RFIELD("Content-Length: 5\r\nContent-Length: 6", CL_TWO),
    RFIELD("Content-Length: 5, 5", CL_LIST),
    RFIELD("Content-Length: -5", CL_SYNTAX),
    RFIELD("Content-Length: -1", CL_SYNTAX),
    RFIELD("Content-Length: 18446744073709551617", CL_HUGE),
    RFIELD("Transfer-Encoding: gzip", TE_CODING),
    RFIELD("Transfer-Encoding: gzip, chunked", TE_CODING),
    RFIELD("Transfer-Encoding: chunked, chunked", TE_SYNTAX),
    RFIELD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", TE_TWO),
    RAW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", TE_HTTP10),
    RFIELD("X: a\0b", NUL),
    RFIELD("X: a\rb", BARE_CR),
    RFIELD("X: a\r\n b", FOLD),
    RFIELD("X : a", NAME_SPACE),
    RFIELD("X", NO_COLON),
    RFIELD("Set-Cookie: a\x08", VALUE_BYTE),
    RAW("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", CL_AND_TE),
};

static void check_all(const struct one *tests, size_t n, const char *method)
{
    for (size_t i = 0; i < n; i++) {
        span in = span_of(tests[i].in, tests[i].n);
        assert_why(in, method, tests[i].why);
        assert_cuts_agree(in, method);
    }
}

static void test_wrong_requests_are_refused_by_name(void **state)
{
    (void)state;
    check_all(requests, sizeof requests / sizeof requests[0], NULL);
}

static void test_wrong_framing_is_refused_by_name(void **state)
{
    (void)state;
    check_all(framings, sizeof framings / sizeof framings[0], NULL);
}

static void test_wrong_responses_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "HEAD", "CONNECT"};
    for (size_t i = 0; i < 3; i++)
        check_all(responses, sizeof responses / sizeof responses[0], methods[i]);
}

/* Heads that have not ended are waited for, and a reason once given stays. */
static void test_unfinished_heads_want_more_and_bad_is_for_good(void **state)
{
    (void)state;
    static struct msg m;
    static const char *const open[] = {"",
                                       "G",
                                       "GET / HTTP/1.1",
                                       "GET / HTTP/1.1\r",
                                       "GET / HTTP/1.1\r\n",
                                       "GET / HTTP/1.1\r\nHost: a\r\n",
                                       "GET / HTTP/1.1\r\nHost: a\r\n\r",
                                       "\r",
                                       "\r\n"};
    size_t used;
    struct h1_head h;
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        h1_head_init(&h);
        assert_int_equal(h1_request(&h, span_str(open[i]), &m, &used), RC_MORE);
    }
    h1_head_init(&h);
    assert_int_equal(h1_request(&h, SPAN("GET / HTTP/3\r\n"), &m, &used), RC_BAD);
    assert_int_equal(h1_request(&h, SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &m, &used), RC_BAD);
    assert_int_equal(h.why, H1_VERSION);
    h1_head_init(&h);
    assert_int_equal(h1_response(&h, SPAN("HTTP/1.1 200 OK\r\n"), SPAN("GET"), &m, &used), RC_MORE);
    assert_int_equal(h1_response(&h, SPAN(""), SPAN("GET"), &m, &used), RC_MORE);
}

/* ---- caps (threats.md row 72) */

static span repeat(struct buf *b, const char *before, const char *part, size_t n, const char *after)
{
    assert_int_equal(buf_put_str(b, before), RC_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_put_str(b, part), RC_OK);
    assert_int_equal(buf_put_str(b, after), RC_OK);
    return buf_span(b);
}

static void check_long(const char *before, const char *part, size_t n, const char *after, const char *method,
                       enum h1_why want)
{
    struct buf b = {0};
    span in = repeat(&b, before, part, n, after);
    assert_why(in, method, want);
    assert_cuts_agree(in, method);
    buf_fini(&b);
}

static void test_caps_have_their_own_reasons(void **state)
{
    (void)state;
    const char *end = "\r\n\r\n", *host = " HTTP/1.1\r\nHost: a\r\n\r\n",
               *get = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    check_long("GET /", "x", LIM_TARGET_BYTES - 1, host, NULL, H1_NONE);
    check_long("GET /", "x", LIM_TARGET_BYTES, host, NULL, H1_TARGET_LONG);
    check_long("GET /", "x", 100000, host, NULL, H1_TARGET_LONG);
    check_long("GET /", "x", 100000, "", NULL, H1_TARGET_LONG);
    check_long("GET http://", "x", 20000, host, NULL, H1_TARGET_LONG);
    check_long("", "X", 100000, "", NULL, H1_TARGET_LONG);
    check_long(get, "x", 60000, end, NULL, H1_NONE);
    check_long(get, "x", 100000, end, NULL, H1_HEAD_LONG);
    check_long(get, "x", 100000, "", NULL, H1_HEAD_LONG);
    check_long("GET / HTTP/1.1\r\n", "X: 1\r\n", 5000, "Host: a\r\n\r\n", NULL, H1_FIELD_COUNT);
    check_long("GET / HTTP/1.1\r\n", "X: 1\r\n", LIM_HEAD_FIELDS, "Host: a\r\n\r\n", NULL, H1_FIELD_COUNT);
    check_long("GET / HTTP/1.1\r\n", "X: 1\r\n", LIM_HEAD_FIELDS - 1, "Host: a\r\n\r\n", NULL, H1_NONE);
    check_long("GET / HTTP/1.1\r\nHost: a\r\nConnection: ", "x,", 31, end, NULL, H1_NONE);
    check_long("GET / HTTP/1.1\r\nHost: a\r\nConnection: ", "x,", 32, end, NULL, H1_OPTIONS);
    check_long("GET / HTTP/1.1\r\nHost: a\r\nConnection: ", ",", 60000, end, NULL, H1_OPTIONS);
    check_long("GET / HTTP/1.1\r\nHost: a\r\n", "Connection: x\r\n", 33, end + 2, NULL, H1_OPTIONS);
    check_long("GET / HTTP/1.1\r\nHost: a\r\n", "Connection: x\r\n", 32, end + 2, NULL, H1_NONE);
    check_long("GET / HTTP/1.1\r\nHost: a\r\nConnection: ", "x,", 30000, end, NULL, H1_OPTIONS);
    check_long("GET / HTTP/1.1\r\nHost: ", "a", LIM_NAME_BYTES + 2, end, NULL, H1_HOST_LONG);
    check_long("GET / HTTP/1.1\r\nHost: ", "a", LIM_NAME_BYTES, ".\r\n\r\n", NULL, H1_NONE);
    check_long("HTTP/1.1 200 ", "x", 300000, end, "GET", H1_HEAD_LONG);
    check_long("HTTP/1.1 200 OK\r\nX: ", "x", 300000, end, "GET", H1_HEAD_LONG);
    check_long("HTTP/1.1 200 OK\r\n", "X: 1\r\n", 20000, "\r\n", "GET", H1_HEAD_LONG);
    check_long("HTTP/1.1 200 OK\r\n", "X:\r\n", 10000, "\r\n", "GET", H1_FIELD_COUNT);
    check_long("HTTP/1.1 ", "2", 70000, "", "GET", H1_HEAD_LONG);
}

/* The cap is exact: a head of just that size is read, one byte more is not. */
static void test_head_of_exactly_the_cap_is_taken(void **state)
{
    (void)state;
    const char *before = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    size_t rest = LIM_HEAD_BYTES - strlen(before) - 4;
    check_long(before, "x", rest, "\r\n\r\n", NULL, H1_NONE);
    check_long(before, "x", rest, "\r\n\r\nmore bytes of a body", NULL, H1_NONE);
    check_long(before, "x", rest + 1, "\r\n\r\n", NULL, H1_HEAD_LONG);
}

static void test_every_reason_has_its_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < H1_WHY_N; i++) {
        enum h1_why why = (enum h1_why)i;
        unsigned status = h1_why_status(why);
        assert_true(strlen(h1_why_name(why)) > 2 && strlen(h1_why_text(why)) > 8);
        assert_true((i == 0 && status == 200) || (status >= 400 && status < 506));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(h1_why_name(why), h1_why_name((enum h1_why)j));
    }
    assert_string_equal(h1_why_name(H1_WHY_N), "unknown");
    assert_string_equal(h1_why_text(H1_WHY_N), "unknown reason");
    assert_int_equal(h1_why_status(H1_WHY_N), 400);
    assert_int_equal(h1_why_status(H1_TARGET_LONG), 414);
    assert_int_equal(h1_why_status(H1_HEAD_LONG), 431);
    assert_int_equal(h1_why_status(H1_VERSION), 505);
    assert_int_equal(h1_why_status(H1_TE_CODING), 501);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_requests_are_refused_by_name),
        cmocka_unit_test(test_wrong_framing_is_refused_by_name),
        cmocka_unit_test(test_wrong_responses_are_refused_by_name),
        cmocka_unit_test(test_unfinished_heads_want_more_and_bad_is_for_good),
        cmocka_unit_test(test_caps_have_their_own_reasons),
        cmocka_unit_test(test_head_of_exactly_the_cap_is_taken),
        cmocka_unit_test(test_every_reason_has_its_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
