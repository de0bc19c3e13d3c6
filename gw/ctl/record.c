/* Decision records as text and JSON; see record.h. What stands in them came through a worker: bytes that are
 * no text are shown as '?'. */
#include "gw/ctl/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "gw/base/obj.h"
#include "gw/siem/code.h"

_Static_assert(CODE_TEXT <= 16, "a code fits");

static const char *const steps[] = {"connect", "certificate", "request", "content"};
static const char *const actions[] = {"allow", "block", "exempt", "inspect", "warn"};
static const char *const layers[] = {"none", "firewall", "tls", "web", "content", "dns"};
static const char *const whys[] = {"rule", "default", "defect", "zone-no-ca", "no-zone", "grant", "clicked"};
static const char *const sources[] = {"none", "policy", "radius", "ldap", "proxy", "vpn", "portal"};
static const char *const modifiers[] = {"safe-search", "youtube", "quota", "header"};
static const char *const facts[] = {
#define F(id, text) #id,
#include "policy/fact.tbl"
#undef F
};
#define WORD(list, i) ((size_t)(i) < N_ELEMS(list) ? (list)[i] : "?")

const char *record_action(enum action a)
{
    return WORD(actions, a);
}

const char *record_step(enum step s)
{
    return WORD(steps, s);
}

bool record_code_like(const char *word)
{
    size_t n = 0;
    for (; *word; word++) {
        bool letter = (*word >= 'A' && *word <= 'Z') || (*word >= 'a' && *word <= 'z');
        bool digit = *word >= '0' && *word <= '9';
        if (!letter && !digit && *word != '-' && *word != ' ')
            return false;
        n += letter || digit;
    }
    return n == 10;
}

bool record_code_read(const char *command, const char *word, unsigned *node, uint64_t *number)
{
    if (code_parse(span_str(word), node, number) == RC_OK)
        return true;
    if (record_code_like(word))
        ctl_fail("%s%s is mistyped: the characters of a code check each other, and these do not fit", command,
                 word);
    else
        ctl_fail("%s%s is no decision code; one looks like A7K-2Q9F-XMH", command, word);
    return false;
}

void record_code(const struct record *r, char out[16])
{
    code_format(r->node, r->number, out);
}

const char *record_time(int64_t wall_us, char out[40])
{
    time_t s = (time_t)(wall_us / 1000000);
    struct tm tm;
    char date[24];
    if (!gmtime_r(&s, &tm) || strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        snprintf(out, 40, "%" PRId64, wall_us);
    else
        snprintf(out, 40, "%s.%03d UTC", date, (int)(wall_us % 1000000 / 1000));
    return out;
}

static const char *fact_name(unsigned i, char out[24])
{
    size_t n = 0;
    for (; facts[i][n] && n < 23; n++)
        out[n] = (char)ascii_lower((uint8_t)facts[i][n]);
    out[n] = '\0';
    return out;
}

const char *record_facts(uint64_t bits, char out[200])
{
    char name[24];
    size_t n = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < FACT_N; i++) {
        if (bits >> i & 1 && n < 160)
            n += (size_t)snprintf(out + n, 200 - n, "%s%s", n ? ", " : "", fact_name(i, name));
    }
    return out;
}

/* ---- JSON ---- */

static json_t *text(span s)
{
    json_t *o = s.n ? json_stringn((const char *)s.p, s.n) : NULL;
    AUTO_FREE char *plain = o ? NULL : malloc(s.n + 1);
    if (o || !plain)
        return o;
    for (size_t i = 0; i < s.n; i++)
        plain[i] = s.p[i] < 0x80 ? (char)s.p[i] : '?';
    return json_stringn(plain, s.n);
}

static void set_text(json_t *o, const char *key, span s)
{
    if (s.n)
        json_object_set_new(o, key, text(s));
}

static void set_number(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key, json_integer((json_int_t)v));
}

static void set_addr(json_t *o, const char *key, const struct addr *a)
{
    char s[ADDR_TEXT];
    if (a->family)
        json_object_set_new(o, key, json_string(addr_text(a, s)));
}

static void set_hex(json_t *o, const char *key, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char s[2 * 32 + 1];
    for (size_t i = 0; i < n && i < 32; i++) {
        s[2 * i] = digits[p[i] >> 4];
        s[2 * i + 1] = digits[p[i] & 15];
    }
    s[2 * n] = '\0';
    json_object_set_new(o, key, json_string(s));
}

static void set_facts(json_t *o, const char *key, uint64_t bits)
{
    json_t *list = json_array();
    char name[24];
    for (unsigned i = 0; i < FACT_N; i++) {
        if (bits >> i & 1)
            json_array_append_new(list, json_string(fact_name(i, name)));
    }
    json_object_set_new(o, key, list);
}

static json_t *json_categories(const struct record *r)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < r->facts.n_cats; i++) {
        json_t *o = json_object();
        set_text(o, "name", r->hits[i].name);
        set_text(o, "list", r->hits[i].list);
        if (r->hits[i].line)
            set_number(o, "line", r->hits[i].line);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *json_texts(const span *s, unsigned n)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, text(s[i]));
    return list;
}

static void put_person(json_t *o, const struct record *r)
{
    const struct facts *f = &r->facts;
    set_addr(o, "src", &f->src);
    set_text(o, "zone", r->zone);
    set_text(o, "vpn", f->vpn);
    set_text(o, "user", f->user);
    if (f->n_groups)
        json_object_set_new(o, "groups", json_texts(r->groups, f->n_groups));
    if (f->id_source) {
        json_object_set_new(o, "identity_source", json_string(WORD(sources, f->id_source)));
        set_number(o, "identity_age_s", f->id_age_s);
    }
}

static void put_content(json_t *o, const struct facts *f)
{
    set_text(o, "type", f->type);
    if (f->known & FACT_BIT(TYPE)) {
        set_number(o, "size", f->size);
        set_hex(o, "sha256", f->hash, sizeof f->hash);
    }
    set_text(o, "virus", f->virus);
    if (f->known & FACT_BIT(SIGNATURE)) {
        set_number(o, "signature", f->signature);
        set_number(o, "severity", f->severity);
    }
    if (f->n_patterns)
        json_object_set_new(o, "patterns", json_texts(f->patterns, f->n_patterns));
}

static json_t *json_of_facts(const struct record *r)
{
    const struct facts *f = &r->facts;
    json_t *o = json_object();
    put_person(o, r);
    set_addr(o, "dst", &f->dst);
    set_number(o, "dst_port", f->dst_port);
    json_object_set_new(o, "explicit", json_boolean(f->explicit_proxy));
    set_text(o, "name", f->name);
    json_object_set_new(o, "tls", json_boolean(f->tls));
    json_object_set_new(o, "decrypted", json_boolean(f->decrypted));
    set_text(o, "ja4", f->ja4);
    set_text(o, "app", f->app);
    if (f->defects)
        set_number(o, "defects", f->defects);
    set_text(o, "method", f->method);
    set_text(o, "path", f->path);
    json_object_set_new(o, "upload", json_boolean(f->upload));
    put_content(o, f);
    set_facts(o, "known", f->known);
    set_facts(o, "lost", f->lost);
    return o;
}

static json_t *json_of_verdict(const struct record *r)
{
    const struct verdict *v = &r->verdict;
    json_t *o = json_object();
    json_object_set_new(o, "action", json_string(WORD(actions, v->action)));
    json_object_set_new(o, "layer", json_string(WORD(layers, v->layer)));
    json_object_set_new(o, "why", json_string(WORD(whys, v->why)));
    if (v->rule != RULE_NONE) {
        set_number(o, "rule", v->rule);
        set_text(o, "rule_text", r->rule);
    }
    for (unsigned i = 0; i < r->facts.n_cats; i++) {
        if (r->hits[i].category == v->category)
            set_text(o, "category", r->hits[i].name);
    }
    json_object_set_new(o, "forbid", json_boolean(v->forbid));
    json_object_set_new(o, "observed", json_boolean(v->observed));
    if (v->grant != GRANT_NONE)
        set_number(o, "grant", v->grant);
    if (v->valid_until != INT64_MAX)
        json_object_set_new(o, "valid_until", json_integer(v->valid_until));
    set_facts(o, "waits_for", v->waits_for);
    json_t *mods = json_array(), *logs = json_array();
    for (unsigned i = 0; i < v->n_mods; i++)
        json_array_append_new(mods, json_pack("{s:s, s:I}", "set", WORD(modifiers, v->mods[i].kind), "rule",
                                              (json_int_t)v->mods[i].rule));
    for (unsigned i = 0; i < v->n_logs; i++)
        json_array_append_new(logs, json_integer(v->logs[i]));
    json_object_set_new(o, "modifiers", mods);
    json_object_set_new(o, "logs", logs);
    return o;
}

json_t *record_json(const struct record *r, const struct journal_frame *f)
{
    char code[16], when[40];
    record_code(r, code);
    json_t *o =
        json_pack("{s:s, s:s, s:I, s:s, s:I}", "code", code, "time", record_time(r->wall_us, when), "time_us",
                  (json_int_t)r->wall_us, "step", WORD(steps, r->facts.step), "flow", (json_int_t)r->flow);
    if (!o)
        return NULL;
    json_object_set_new(o, "facts", json_of_facts(r));
    json_object_set_new(o, "categories", json_categories(r));
    json_object_set_new(o, "verdict", json_of_verdict(r));
    set_hex(o, "snapshot", r->snapshot, SNAP_HASH);
    set_number(o, "took_ns", r->took_ns);
    if (f) {
        char boot[20];
        snprintf(boot, sizeof boot, "%016" PRIx64, f->boot);
        json_object_set_new(o, "boot", json_string(boot));
        set_number(o, "worker", f->worker);
        set_number(o, "seq", f->seq);
        set_number(o, "segment", f->segment);
        set_number(o, "offset", f->at);
        set_hex(o, "hash", f->hash, JOURNAL_HASH);
    }
    return o;
}

/* ---- text ---- */

static void say(const char *label, span s)
{
    printf("  %-11s ", label);
    ctl_print(stdout, s, false);
    putchar('\n');
}

static void say_if(const char *label, span s)
{
    if (s.n)
        say(label, s);
}

static void print_list(const char *label, const span *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        say(i ? "" : label, s[i]);
}

static void print_hit(const char *label, const struct record_hit *h)
{
    printf("  %-11s ", label);
    ctl_print(stdout, h->name, false);
    if (h->list.n) {
        printf("  (");
        ctl_print(stdout, h->list, false);
        printf(", line %u)", h->line);
    }
    putchar('\n');
}

static void print_who(const struct record *r)
{
    char a[ADDR_TEXT];
    const struct facts *f = &r->facts;
    say("from", f->src.family ? span_str(addr_text(&f->src, a)) : SPAN("?"));
    say("zone", r->zone.n ? r->zone : SPAN("none"));
    say_if("vpn", f->vpn);
    say("user", f->user.n ? f->user : SPAN("unidentified"));
    print_list("groups", r->groups, f->n_groups);
}

static void print_what(const struct record *r)
{
    char a[ADDR_TEXT], more[200];
    const struct facts *f = &r->facts;
    if (f->dst.family)
        printf("  %-11s %s port %u\n", "to", addr_text(&f->dst, a), (unsigned)f->dst_port);
    say_if("host", f->name);
    say_if("method", f->method);
    say_if("path", f->path);
    say_if("application", f->app);
    say_if("type", f->type);
    say_if("virus", f->virus);
    print_list("patterns", f->patterns, f->n_patterns);
    for (unsigned i = 0; i < f->n_cats; i++)
        print_hit(i ? "" : "categories", &r->hits[i]);
    if (f->lost)
        printf("  %-11s %s\n", "not kept", record_facts(f->lost, more));
}

void record_print(const struct record *r, const struct journal_frame *f)
{
    char code[16], when[40], text_[80];
    const struct verdict *v = &r->verdict;
    record_code(r, code);
    printf("%s  %s  %s\n", code, record_time(r->wall_us, when), WORD(steps, r->facts.step));
    print_who(r);
    print_what(r);
    printf("  %-11s %s (%s, %s)%s%s\n", "verdict", WORD(actions, v->action), WORD(layers, v->layer),
           WORD(whys, v->why), v->forbid ? ", nothing lifts it" : "",
           v->observed ? ", observed: not enforced" : "");
    say_if("rule", r->rule);
    for (unsigned i = 0; i < 6; i++)
        snprintf(text_ + 2 * i, 3, "%02x", r->snapshot[i]);
    printf("  %-11s %s\n  %-11s %.1f us\n", "snapshot", text_, "took", (double)r->took_ns / 1000);
    if (f)
        printf("  %-11s segment %" PRIu64 ", byte %" PRIu64 "; worker %u, number %" PRIu64 "\n", "stands in",
               f->segment, f->at, f->worker, f->seq);
}

void record_line(const struct record *r)
{
    char code[16], when[40], a[ADDR_TEXT];
    const struct facts *f = &r->facts;
    record_code(r, code);
    printf("%s  %s  %-11s %-8s ", record_time(r->wall_us, when), code, WORD(steps, f->step),
           WORD(actions, r->verdict.action));
    ctl_print(stdout, f->name.n ? f->name : span_str(addr_text(&f->dst, a)), false);
    printf("  ");
    ctl_print(stdout, r->rule, false);
    putchar('\n');
}
