/* The reader over other people's cases: llhttp's Markdown (input and expected callbacks), of which it agrees
 * or differs as listed here with the reason; and the requests of the Core Rule Set's tests, attacks all,
 * which must be bounded. */
#include <dirent.h>

#include "tests/unit/gw/http/h1_help.h"

static const char *data_folder(const char *sub, char out[512])
{
    const char *root = getenv("PERRON_DATA");
    snprintf(out, 512, "%s/http/%s", root ? root : "../shared/data", sub);
    DIR *d = opendir(out);
    if (!d) {
        print_message("SKIP: no %s (PERRON_DATA)\n", out);
        skip();
    }
    closedir(d);
    return out;
}

static void read_file(const char *path, struct buf *b)
{
    FILE *f = fopen(path, "rb");
    uint8_t block[4096];
    size_t n;
    assert_non_null(f);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        assert_int_equal(buf_put(b, span_of(block, n)), RC_OK);
    fclose(f);
}

static span next_line(span *s)
{
    size_t lf = span_find(*s, '\n', 0);
    span line = span_cut(*s, 0, lf);
    *s = lf == SIZE_MAX ? SPAN_NONE : span_cut(*s, lf + 1, s->n);
    return line;
}

static size_t find(span s, span what)
{
    for (size_t i = 0; i + what.n <= s.n; i++) {
        if (span_ieq(span_cut(s, i, i + what.n), what))
            return i;
    }
    return SIZE_MAX;
}

static void add(struct buf *b, span s)
{
    assert_int_equal(buf_put(b, s), RC_OK);
}

/* ---- llhttp */

struct tally {
    const char *file;
    unsigned n, agreed, listed;
};

/* Where we mean to differ: the end of the title, what we say (H1_NONE: we take what llhttp refuses), and why.
 */
static const struct {
    const char *title;
    enum h1_why why;
    const char *because;
} differences[] = {
    {"CRLF between requests, implicit `keep-alive`", H1_EMPTY_LINES, "one empty line is mended, not several"},
    {"Host terminated by a query string", H1_EMPTY_LINES, "the same"},
    {"It should be unsafe to finish inside of the header", H1_NO_COLON,
     "the case ends inside a line, which we ended"},
    {"HTTP protocol and ANNOUNCE method", H1_NONE, "a method is any upper-case token; there is no list"},
    {"Invalid method", H1_NONE, "the same"},
    {"PRI request HTTP2", H1_TARGET_FORM, "the preface of HTTP/2 without agreement, in 1.1"},
    {"CONNECT with body", H1_CONNECT_BODY, "content beside a tunnel is read by nobody the same way"},
    {"M-SEARCH request", H1_TARGET_FORM, "`*` belongs to OPTIONS alone (RFC 9112 section 3.2.4)"},
    {"SOURCE request with ICE", H1_START_LINE, "not HTTP"},
    {"OPTIONS request with RTSP", H1_START_LINE, "not HTTP"},
    {"ANNOUNCE request with RTSP", H1_START_LINE, "not HTTP"},
    {"curl GET", H1_HOST_BYTE, "`0.0.0.0=5000` is no host"},
    {"Firefox GET", H1_HOST_BYTE, "the same"},
    {"No HTTP version", H1_HTTP09, "HTTP/0.9 has no Host and no framing"},
    {"No extension after semicolon", H1_NONE,
     "extensions are dropped, whatever they hold between ';' and CRLF"},
    {"Unbalanced chunk extensions quoting", H1_NONE, "the same"},
    {"POST with `chunked` as last transfer-encoding", H1_TARGET_FRAGMENT,
     "a fragment never travels (RFC 9110 section 7.1)"},
    {"POST with `chunked` as last transfer-encoding (multiple headers)", H1_TARGET_FRAGMENT, "the same"},
    {"Fragment in URI", H1_TARGET_FRAGMENT, "the same"},
    {"`host:port` and basic auth", H1_TARGET_USERINFO,
     "user information only hides a host (RFC 9110 section 4.2.4)"},
};

/* "\r", "\n", "\t", "\f", "\xNN" and a backslash at the end of a line mean what they do in that project's
 * runner. */
static void unescape(span in, struct buf *out)
{
    static const char codes[] = "rntf", bytes[] = "\r\n\t\f";
    for (size_t i = 0; i < in.n; i++) {
        uint8_t next = i + 1 < in.n ? in.p[i + 1] : 0;
        const char *code = next ? memchr(codes, next, 4) : NULL;
        if (in.p[i] == '\n') {
            add(out, SPAN("\r\n"));
        } else if (in.p[i] == '\\' && next == '\n') {
            i++;
        } else if (in.p[i] == '\\' && code) {
            add(out, span_of(&bytes[code - codes], 1));
            i++;
        } else if (in.p[i] == '\\' && next == 'x' && i + 3 < in.n) {
            char hex[3] = {(char)in.p[i + 2], (char)in.p[i + 3], 0};
            uint8_t c = (uint8_t)strtoul(hex, NULL, 16);
            add(out, span_of(&c, 1));
            i += 3;
        } else {
            add(out, span_of(in.p + i, 1));
        }
    }
}

/* That project's cases mostly have no Host, and some no end; the rules about those have tests of their own.
 */
static void with_host(span in, struct buf *out)
{
    size_t skip = span_has_prefix(in, SPAN("\r\n")) ? 2 : 0;
    span rest = span_cut(in, skip, in.n);
    size_t end = find(rest, SPAN("\r\n\r\n")), host = find(rest, SPAN("\nhost:")),
           line = find(rest, SPAN("\r\n"));
    bool has = host != SIZE_MAX && host < end;
    add(out, span_cut(in, 0, skip));
    add(out, span_cut(rest, 0, line));
    if (!has && line != SIZE_MAX)
        add(out, SPAN("\r\nHost: h"));
    add(out, span_cut(rest, line, rest.n));
    if (end == SIZE_MAX)
        add(out, SPAN("\r\n\r\n"));
}

/* The first message, or all in the input; H1_NONE when none of them is wrong so far. */
static enum h1_why judge(span in, bool all)
{
    static struct msg m;
    while (in.n > 0) {
        struct buf b = {0};
        struct h1_head h;
        struct h1_body body;
        size_t used = 0, n;
        span data;
        h1_head_init(&h);
        with_host(in, &b);
        enum rc rc = h1_request(&h, buf_span(&b), &m, &used);
        if (rc != RC_OK) {
            buf_fini(&b);
            return h.why;
        }
        size_t added = b.w - in.n; /* all of it before the end of the head */
        h1_body_init(&body, &m);
        buf_fini(&b);
        in = span_cut(in, used > added ? used - added : 0, in.n);
        do {
            rc = h1_body_read(&body, in, &n, &data);
            in = span_cut(in, n, in.n);
        } while (rc == RC_MORE && in.n > 0);
        h1_body_fini(&body);
        if (rc == RC_BAD)
            return body.why;
        if (!all || !m.keep_alive)
            break;
    }
    return H1_NONE;
}

static bool is_listed(span title, enum h1_why why)
{
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++) {
        if (span_has_suffix(title, span_str(differences[i].title)) && differences[i].why == why)
            return true;
    }
    return false;
}

/* Its pauses and its word on what follows `Connection: close` are not about the message. */
static bool llhttp_refuses(span log)
{
    return find(log, SPAN("error code=")) != SIZE_MAX && find(log, SPAN("reason=\"Pause on")) == SIZE_MAX &&
           find(log, SPAN("reason=\"Data after")) == SIZE_MAX;
}

static void check_case(struct tally *t, span title, span block, span log)
{
    struct buf in = {0};
    unescape(block, &in);
    bool refused = llhttp_refuses(log);
    enum h1_why why =
        judge(buf_span(&in), find(log, SPAN("reason=\"Pause on")) == SIZE_MAX); /* then another protocol */
    t->n++;
    if (refused == (why != H1_NONE))
        t->agreed++;
    else if (is_listed(title, why))
        t->listed++;
    else
        fail_msg("%s %.*s: %s here, while llhttp %s it", t->file, (int)title.n, title.p, h1_why_name(why),
                 refused ? "refuses" : "takes");
    assert_cuts_agree(buf_span(&in), NULL);
    buf_fini(&in);
}

static span fenced(span *s)
{
    const uint8_t *start = s->p;
    size_t n = 0;
    while (s->n > 0) {
        span line = next_line(s);
        if (span_eq(line, SPAN("```")))
            break;
        n = (size_t)(s->p - start);
    }
    return span_of(start, n > 0 ? n - 1 : 0);
}

static void check_markdown(struct tally *t, span s)
{
    span title = SPAN_NONE, block = SPAN_NONE;
    bool strict = false;
    while (s.n > 0) {
        span line = next_line(&s);
        if (span_has_prefix(line, SPAN("##")))
            title = line;
        else if (span_has_prefix(line, SPAN("<!-- meta=")))
            strict = find(line, SPAN("lenient")) == SIZE_MAX && find(line, SPAN("pause")) == SIZE_MAX;
        else if (span_eq(line, SPAN("```http")))
            block = fenced(&s);
        else if (span_eq(line, SPAN("```log")) && strict)
            check_case(t, title, block, fenced(&s));
    }
}

static void test_llhttp_cases(void **state)
{
    (void)state;
    char folder[512], path[1024];
    struct dirent **names;
    int n = scandir(data_folder("llhttp/request", folder), &names, NULL, alphasort);
    struct tally t = {0};
    for (int i = 0; i < n; i++) {
        struct buf b = {0};
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        t.file = names[i]->d_name;
        if (names[i]->d_name[0] != '.') {
            read_file(path, &b);
            check_markdown(&t, buf_span(&b));
        }
        buf_fini(&b);
        free(names[i]);
    }
    free(names);
    print_message("%u cases, %u agreed, %u differ as listed\n", t.n, t.agreed, t.listed);
    assert_true(t.n > 100);
    assert_int_equal(t.listed, sizeof differences / sizeof differences[0]);
}

/* ---- Core Rule Set */

struct crs {
    unsigned n, taken;
};

/* The scalar after "key:" on this line, without quotes. */
static bool yaml_value(span line, const char *key, span *value)
{
    line = span_trim(line);
    size_t n = strlen(key);
    if (!span_has_prefix(line, span_str(key)) || line.n <= n || line.p[n] != ':')
        return false;
    span v = span_trim(span_cut(line, n + 1, line.n));
    if (v.n >= 2 && (v.p[0] == '"' || v.p[0] == '\'') && v.p[v.n - 1] == v.p[0])
        v = span_cut(v, 1, v.n - 1);
    *value = v;
    return true;
}

/* A request of that method and target, with the attack in a field too; our answer is quick and one of two. */
static void check_attack(struct crs *c, span method, span uri, span agent)
{
    struct buf b = {0};
    add(&b, method);
    add(&b, SPAN(" "));
    add(&b, uri);
    add(&b, SPAN(" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: "));
    add(&b, agent);
    add(&b, SPAN("\r\n\r\n"));
    struct outcome o = outcome_of(buf_span(&b), NULL, b.w);
    assert_true((o.rc == RC_OK && o.why == H1_NONE) || (o.rc == RC_BAD && o.why != H1_NONE));
    assert_cuts_agree(buf_span(&b), NULL);
    c->n++;
    c->taken += o.rc == RC_OK;
    buf_fini(&o.text);
    buf_fini(&b);
}

static void check_rule_file(struct crs *c, const char *path)
{
    struct buf b = {0};
    span method = SPAN("GET"), agent = SPAN("x"), value;
    read_file(path, &b);
    for (span s = buf_span(&b); s.n > 0;) {
        span line = next_line(&s);
        if (yaml_value(line, "method", &value))
            method = value;
        else if (yaml_value(line, "User-Agent", &value))
            agent = value;
        else if (yaml_value(line, "uri", &value) && value.n > 0)
            check_attack(c, method, value, agent);
    }
    buf_fini(&b);
}

static void each_file(struct crs *c, const char *folder)
{
    struct dirent **names;
    char path[1024];
    int n = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (strstr(names[i]->d_name, ".yaml"))
            check_rule_file(c, path);
        else if (strncmp(names[i]->d_name, "RE", 2) == 0)
            each_file(c, path);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

static void test_core_rule_set_requests(void **state)
{
    (void)state;
    char folder[512];
    struct crs c = {0};
    each_file(&c, data_folder("crs-regression", folder));
    print_message("%u requests, %u are clean HTTP\n", c.n, c.taken);
    assert_true(c.n > 1000);
    assert_true(c.taken > c.n / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llhttp_cases),
        cmocka_unit_test(test_core_rule_set_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
