/* Block pages; page.h says what they promise. Three layers: a writer that remembers its first failure, so
 * that a page reads here as it will there; the parts of a page; the head of the answer. Strangers' bytes go
 * through put_text and nothing else: it escapes, cuts, and shows what is invisible or malformed as U+FFFD. */
#include "gw/portal/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gw/base/addr.h"
#include "gw/base/obj.h"
#include "gw/base/utf8.h"
#include "gw/portal/style.h"
#include "gw/portal/text.h"

enum {
    SHOW_HOST = 253,
    SHOW_PATH = 300,
    SHOW_NAME = 100,
    SHOW_RULE = 500,
    SHOW_REASON = 300,
    SHOW_MAIL = 254,
    SHOW_TARGET = 4096
};

/* Parts of each kind of page. */
static const struct {
    enum page_text h1, lead, help;
    enum page_look look;
} kinds[] = {
    [PAGE_BLOCKED] = {TEXT_H1_BLOCKED, TEXT_LEAD_BLOCKED, TEXT_HELP_BLOCKED, LOOK_BLOCKED},
    [PAGE_CERTIFICATE] = {TEXT_H1_CERTIFICATE, TEXT_LEAD_CERTIFICATE, TEXT_HELP_OTHER, LOOK_CERTIFICATE},
    [PAGE_UNREACHABLE] = {TEXT_H1_UNREACHABLE, TEXT_LEAD_UNREACHABLE, TEXT_HELP_OTHER, LOOK_OTHER},
    [PAGE_UNAVAILABLE] = {TEXT_H1_UNAVAILABLE, TEXT_LEAD_UNAVAILABLE, TEXT_HELP_OTHER, LOOK_OTHER},
    [PAGE_BAD_REQUEST] = {TEXT_H1_BAD_REQUEST, TEXT_LEAD_BAD_REQUEST, TEXT_HELP_OTHER, LOOK_OTHER},
    [PAGE_BAD_ANSWER] = {TEXT_H1_BAD_ANSWER, TEXT_LEAD_BAD_ANSWER, TEXT_HELP_OTHER, LOOK_OTHER},
    [PAGE_WARNED] = {TEXT_H1_WARNED, TEXT_LEAD_WARNED, TEXT_HELP_BLOCKED, LOOK_WARNED},
    [PAGE_CLICK_OVER] = {TEXT_H1_CLICK_OVER, TEXT_LEAD_CLICK_OVER, TEXT_HELP_OTHER, LOOK_OTHER},
};

/* ---- the writer ---- */

struct writer {
    struct buf *b;
    enum rc rc; /* the first failure; nothing is written after it */
    enum page_lang lang;
    bool html;
};

static void put(struct writer *w, span s)
{
    if (w->rc == RC_OK)
        w->rc = buf_put(w->b, s);
}

static void put_str(struct writer *w, const char *s)
{
    put(w, span_str(s));
}

static void put_our(struct writer *w, enum page_text t)
{
    put_str(w, text_of(t, w->lang));
}

__attribute__((format(printf, 2, 3))) static void put_f(struct writer *w, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    gw_assert(n >= 0 && (size_t)n < sizeof text);
    put(w, span_of(text, (size_t)n));
}

static const char *html_escape(uint8_t c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

/* The character at s[*at]; moves *at behind it. */
static void put_char(struct writer *w, span s, size_t *at)
{
    uint8_t c = s.p[*at];
    uint32_t cp = c;
    size_t n = c < 0x80 ? 1 : utf8_at(s, *at, &cp);
    const char *escaped = w->html ? html_escape(c) : NULL;
    if (n == 0 || c < 0x20 || c == 0x7f || utf8_is_invisible(cp))
        put_str(w, "\xef\xbf\xbd");
    else if (escaped)
        put_str(w, escaped);
    else
        put(w, span_cut(s, *at, *at + n));
    *at += n ? n : 1;
}

/* At most `max` bytes of a stranger's text, whole characters. */
static void put_text(struct writer *w, span s, size_t max)
{
    size_t at = 0;
    while (at < s.n && at < max && w->rc == RC_OK)
        put_char(w, s, &at);
    if (at < s.n)
        put_str(w, "\xe2\x80\xa6"); /* an ellipsis */
}

static void put_percent(struct writer *w, span s, const char *also)
{
    for (size_t i = 0; i < s.n && i < SHOW_MAIL * 4; i++) {
        uint8_t c = s.p[i], l = ascii_lower(c);
        bool plain = (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c)) ||
                     (c && strchr(also, c));
        if (plain)
            put(w, span_of(&c, 1));
        else
            put_f(w, "%%%02X", c);
    }
}

/* ---- parts ---- */

/* Sentence or name of the cause; empty where the page has said it already. *ours: it needs no escaping. */
static span cause_of(const struct page *p, enum page_lang lang, bool *ours)
{
    const char *s = p->defect ? text_cause(span_str(p->defect), lang) : NULL;
    if (!s)
        s = text_cause(p->what, lang);
    *ours = s != NULL;
    return s ? span_str(s) : p->what;
}

static void put_address(struct writer *w, const struct page *p)
{
    if (p->host.n == 0)
        return;
    put_str(w, "<div><dt>");
    put_our(w, TEXT_ADDRESS);
    put_str(w, "</dt><dd><bdi><strong>");
    put_text(w, p->host, SHOW_HOST);
    put_str(w, "</strong>");
    put_text(w, p->path, SHOW_PATH);
    put_str(w, "</bdi></dd></div>\n");
}

static void put_moment(struct writer *w, int64_t wall_s, int32_t offset_s)
{
    int ahead_min = offset_s / 60;
    unsigned off_min = (unsigned)abs(ahead_min);
    time_t t = (time_t)(wall_s + (int64_t)ahead_min * 60);
    char off[24];
    struct tm tm;
    if (!gmtime_r(&t, &tm) || tm.tm_year < 0 || tm.tm_year > 8099)
        return;
    snprintf(off, sizeof off, "%c%02u:%02u", ahead_min < 0 ? '-' : '+', off_min / 60, off_min % 60);
    put_f(w, "<time datetime=\"%04d-%02d-%02dT%02d:%02d:%02d%s\">%02d/%02d/%04d %02d:%02d (UTC%s)</time>",
          tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, off, tm.tm_mday,
          tm.tm_mon + 1, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, off);
}

static void put_row(struct writer *w, enum page_text label, const char *tag, span value, size_t max)
{
    if (value.n == 0)
        return;
    put_str(w, "<div><dt>");
    put_our(w, label);
    put_f(w, "</dt><dd><%s>", tag);
    put_text(w, value, max);
    put_f(w, "</%s></dd></div>\n", tag);
}

static void put_details(struct writer *w, const struct page *p)
{
    bool ours;
    span cause = cause_of(p, w->lang, &ours);
    put_str(w, "<section aria-labelledby=\"d\"><h2 id=\"d\">");
    put_our(w, TEXT_DETAILS);
    put_str(w, "</h2>\n<dl>\n");
    put_address(w, p);
    put_row(w, TEXT_CATEGORY, "bdi", p->category, SHOW_NAME);
    put_row(w, TEXT_REASON, "bdi", p->rule_reason, SHOW_REASON);
    put_row(w, TEXT_RULE, "code", p->rule, SHOW_RULE);
    put_row(w, TEXT_CAUSE, ours ? "span" : "bdi", cause, SHOW_REASON);
    if (p->wall_s > 0) {
        put_str(w, "<div><dt>");
        put_our(w, TEXT_WHEN);
        put_str(w, "</dt><dd>");
        put_moment(w, p->wall_s, p->offset_s);
        put_str(w, "</dd></div>\n");
    }
    put_str(w, "</dl></section>\n");
}

static void put_hidden(struct writer *w, const char *name, span value)
{
    put_f(w, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    put_text(w, value, SHOW_TARGET);
    put_str(w, "\">");
}

/* The way past a warning: a plain form, so that it works without script and is followed by nobody but a
 * person. */
static void put_click(struct writer *w, const struct page *p)
{
    if (p->kind != PAGE_WARNED || p->click_token.n == 0)
        return;
    put_str(w, "<section aria-labelledby=\"c\"><h2 id=\"c\">");
    put_our(w, TEXT_CLICK);
    put_str(w, "</h2>\n<p>");
    put_our(w, TEXT_CLICK_KEPT);
    put_our(w, TEXT_COLON);
    put_f(w, "%u min.", p->click_minutes);
    if (p->resend) {
        put_str(w, "</p>\n<p>");
        put_our(w, TEXT_CLICK_RESEND);
    }
    put_str(w, "</p>\n<form method=\"get\" action=\"/.perron/continue\">");
    put_hidden(w, "t", p->click_token);
    put_hidden(w, "to", p->click_to);
    put_str(w, "<button type=\"submit\">");
    put_our(w, TEXT_CLICK_BUTTON);
    put_str(w, "</button></form></section>\n");
}

/* RFC 6068: the code and the host in the subject, percent-encoded. */
static void put_mailto(struct writer *w, const struct page *p)
{
    put_str(w, "<li>");
    put_our(w, TEXT_MAIL);
    put_our(w, TEXT_COLON);
    put_str(w, "<a href=\"mailto:");
    put_percent(w, p->mail, "@+");
    put_str(w, "?subject=");
    put_percent(w, span_str(text_of(TEXT_SUBJECT, w->lang)), "");
    if (p->code) {
        put_str(w, "%20");
        put_percent(w, span_str(p->code), "");
    }
    if (p->host.n) {
        put_str(w, "%20%28");
        put_percent(w, span_cut(p->host, 0, SHOW_HOST), "");
        put_str(w, "%29");
    }
    put_str(w, "\">");
    put_text(w, p->mail, SHOW_MAIL);
    put_str(w, "</a></li>\n");
}

static void put_telephone(struct writer *w, span number)
{
    put_str(w, "<li>");
    put_our(w, TEXT_TELEPHONE);
    put_our(w, TEXT_COLON);
    put_str(w, "<a href=\"tel:");
    for (size_t i = 0; i < number.n && i < SHOW_NAME; i++) {
        uint8_t c = number.p[i];
        if ((c >= '0' && c <= '9') || (c == '+' && i == 0))
            put(w, span_of(&c, 1));
    }
    put_str(w, "\">");
    put_text(w, number, SHOW_NAME);
    put_str(w, "</a></li>\n");
}

static void put_help(struct writer *w, const struct page *p)
{
    put_str(w, "<section aria-labelledby=\"h\"><h2 id=\"h\">");
    put_our(w, TEXT_HELP);
    put_str(w, "</h2>\n<p>");
    put_our(w, kinds[p->kind].help);
    if (p->code) {
        put_str(w, " ");
        put_our(w, TEXT_SAY_CODE);
        put_str(w, "</p>\n<p class=\"code\"><span>");
        put_our(w, TEXT_CODE);
        put_str(w, "</span><br><strong>");
        put_text(w, span_str(p->code), SHOW_NAME);
        put_str(w, "</strong>");
    }
    put_str(w, "</p>\n");
    if (p->telephone.n || p->mail.n) {
        put_str(w, "<ul class=\"ways\">\n");
        if (p->telephone.n)
            put_telephone(w, p->telephone);
        if (p->mail.n)
            put_mailto(w, p);
        put_str(w, "</ul>\n");
    }
    put_str(w, "</section>\n");
}

/* ---- the two bodies ---- */

static void put_page(struct writer *w, const struct page *p)
{
    put_f(w,
          "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"robots\" content=\"noindex\">\n<title>",
          lang_tag(w->lang));
    put_our(w, kinds[p->kind].h1);
    put_str(w, "</title>\n<style>");
    put_str(w, style_text);
    put_f(w, "</style>\n</head>\n<body class=\"%s\">\n<main>\n<div class=\"card\">\n<div class=\"head\">",
          style_class(kinds[p->kind].look));
    put_str(w, style_sign(kinds[p->kind].look));
    put_str(w, "<div>\n<h1>");
    put_our(w, kinds[p->kind].h1);
    put_str(w, "</h1>\n<p>");
    put_our(w, kinds[p->kind].lead);
    put_str(w, "</p></div></div>\n");
    put_details(w, p);
    put_click(w, p);
    put_help(w, p);
    put_str(w, "</div>\n</main>\n<footer><p>");
    put_our(w, TEXT_FOOTER);
    put_str(w, "</p></footer>\n</body>\n</html>\n");
}

static void put_plain_part(struct writer *w, const char *label, span value, size_t max)
{
    if (value.n == 0)
        return;
    put_f(w, "; %s", label);
    put_our(w, TEXT_COLON);
    put_text(w, value, max);
}

/* One line for programs. */
static void put_line(struct writer *w, const struct page *p)
{
    bool ours;
    enum page_lang l = w->lang;
    put_our(w, kinds[p->kind].h1);
    if (p->host.n) {
        put_our(w, TEXT_COLON);
        put_text(w, p->host, SHOW_HOST);
        put_text(w, p->path, SHOW_PATH);
    }
    put_plain_part(w, text_of(TEXT_CATEGORY, l), p->category, SHOW_NAME);
    put_plain_part(w, text_of(TEXT_REASON, l), p->rule_reason, SHOW_REASON);
    put_plain_part(w, text_of(TEXT_RULE, l), p->rule, SHOW_RULE);
    put_plain_part(w, text_of(TEXT_CAUSE, l), cause_of(p, l, &ours), SHOW_REASON);
    put_plain_part(w, text_of(TEXT_CODE, l), span_str(p->code), SHOW_NAME);
    put_plain_part(w, text_of(TEXT_ASSISTANCE, l), p->telephone, SHOW_NAME);
    put_plain_part(w, p->telephone.n ? text_of(TEXT_MAIL, l) : text_of(TEXT_ASSISTANCE, l), p->mail,
                   SHOW_MAIL);
    put_str(w, "\n");
}

/* ---- the answer ---- */

static const char *status_phrase(unsigned status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
    }
}

/* IMF-fixdate, RFC 9110 section 5.6.7. */
static void put_date(struct writer *w, int64_t wall_s)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)wall_s;
    struct tm tm;
    if (wall_s <= 0 || !gmtime_r(&t, &tm) || tm.tm_year > 8099)
        return;
    put_f(w, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
          tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static bool is_code(const char *code)
{
    span s = span_str(code);
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return s.n > 0 && s.n <= 32;
}

static void put_head(struct writer *w, const struct page *p, size_t body_n)
{
    unsigned status = p->status >= 400 && p->status <= 599 ? p->status : 403;
    put_f(w, "HTTP/1.1 %u %s\r\n", status, status_phrase(status));
    put_date(w, p->wall_s);
    put_f(w, "Content-Type: text/%s; charset=utf-8\r\nContent-Length: %zu\r\nContent-Language: %s\r\n",
          w->html ? "html" : "plain", body_n, lang_tag(w->lang));
    if (is_code(p->code))
        put_f(w, "Perron-Code: %s\r\n", p->code);
    put_str(w, "Cache-Control: no-store\r\nVary: Accept, Accept-Language\r\n");
    put_f(w,
          "Content-Security-Policy: default-src 'none'; style-src '%s'; base-uri 'none'; form-action "
          "'%s'\r\n",
          style_hash, p->kind == PAGE_WARNED ? "self" : "none");
    put_str(w, "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n");
    if (status == 503)
        put_str(w, "Retry-After: 5\r\n");
    put_str(w, p->close ? "Connection: close\r\n\r\n" : "\r\n");
}

enum rc page_render(struct buf *out, const struct page *p)
{
    struct buf body = {0};
    struct writer w = {&body, RC_OK, lang_choose(p->accept_language), accepts_html(p->accept)};
    size_t n_before = buf_len(out);
    if (w.html)
        put_page(&w, p);
    else
        put_line(&w, p);
    w.b = out;
    put_head(&w, p, buf_len(&body));
    if (!p->head)
        put(&w, buf_span(&body));
    if (w.rc != RC_OK)
        out->w = out->r + n_before;
    buf_fini(&body);
    return w.rc;
}

enum rc page_pac(struct buf *out, span proxy_host, uint16_t port)
{
    struct addr a;
    uint8_t name[256];
    bool is_addr = addr_parse(proxy_host, &a);
    if (!is_addr && name_normalise(proxy_host, name) == 0)
        return RC_BAD;
    const char *open = is_addr && a.family == 6 ? "[" : "", *close = *open ? "]" : "";
    return buf_printf(
        out,
        "function FindProxyForURL(url, host) {\n"
        "    if (isPlainHostName(host) || host == \"127.0.0.1\" || host == \"[::1]\" || host == \"::1\")\n"
        "        return \"DIRECT\";\n"
        "    return \"PROXY %s%.*s%s:%u\";\n"
        "}\n",
        open, (int)proxy_host.n, (const char *)proxy_host.p, close, (unsigned)port);
}
