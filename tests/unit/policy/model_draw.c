/* The model's policies, drawn at random; see model.h. */
#include "tests/unit/policy/model_words.h"

/* ---- words ---- */

static const char *const WORD[NOUNS] = {"category", "for",     "domain",     "from",
                                        "to",       "tcp",     "method",     "upload",
                                        "path",     "during",  "type",       "signature severity",
                                        "virus",    "pattern", "application"};
static const unsigned N_VALUES[NOUNS] = {4, 7, 5, 7, 4, 6, 2, 1, 4, 4, 2, 2, 1, 2, 2};
enum { TCP_ALL = 15, UDP_ALL = 48, ICMP = 64 };
static const unsigned NOUNS_OF[BLOCKS] = {
    [IN_FIREWALL] = B(FOR) | B(FROM) | B(TO) | B(PORT) | B(DURING) | B(APPLICATION),
    [IN_TLS] = B(CATEGORY) | B(FOR) | B(DOMAIN) | B(FROM) | B(TO) | B(PORT) | B(DURING) | B(APPLICATION),
    [IN_WEB] = B(CATEGORY) | B(FOR) | B(DOMAIN) | B(FROM) | B(TO) | B(PORT) | B(METHOD) | B(UPLOAD) |
               B(PATH) | B(DURING) | B(APPLICATION),
    [IN_CONTENT] = B(CATEGORY) | B(FOR) | B(DOMAIN) | B(FROM) | B(METHOD) | B(UPLOAD) | B(PATH) | B(DURING) |
                   B(TYPE) | B(SIGNATURE) | B(VIRUS) | B(PATTERN),
    [IN_DNS] = B(CATEGORY) | B(FOR) | B(DOMAIN) | B(FROM) | B(DURING),
};

/* ---- drawing ---- */

static uint64_t seed;
void draw_seed(uint64_t n)
{
    seed = n * 1000 + 1;
}

unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static void put(struct buf *b, const char *s)
{
    assert_int_equal(buf_put_str(b, s), RC_OK);
}

/* Words that stand before a value hold for the next ones too: bare zones come first in VALUES. */
static void put_values(struct buf *b, unsigned noun, unsigned set)
{
    const char *comma = " ";
    put(b, " ");
    put(b, noun == PORT && (set & UDP_ALL) ? "udp" : noun == PORT && (set & ICMP) ? "icmp" : WORD[noun]);
    for (unsigned v = 0; v < N_VALUES[noun]; v++) {
        if (!(set >> v & 1))
            continue;
        put(b, comma);
        put(b, VALUES[noun][v]);
        comma = ", ";
    }
}

/* One port noun a rule; only the firewall knows others than TCP. */
static unsigned draw_ports(unsigned block)
{
    unsigned kind = block == IN_FIREWALL ? draw(4) : 0;
    return kind == 3 ? ICMP : kind == 2 ? B(4) * (1 + draw(3)) : 1 + draw(TCP_ALL);
}

static void draw_cond(struct mrule *r, unsigned noun, struct buf *b)
{
    unsigned all = B(N_VALUES[noun]) - 1;
    if (draw(3) == 0)
        r->want[noun] = noun == PORT ? draw_ports(r->block) : draw(all) + 1;
    if (draw(6) == 0)
        r->except[noun] = noun == PORT ? B(draw(4)) : B(draw(N_VALUES[noun]));
    if ((r->want[noun] & ~r->except[noun]) == 0 || (noun == PORT && (r->want[noun] & ~(unsigned)TCP_ALL)))
        r->except[noun] = r->want[noun] ? 0 : r->except[noun]; /* refused as a contradiction */
    if (r->want[noun])
        put_values(b, noun, r->want[noun]);
    if (r->except[noun] && noun == DURING && draw(2)) {
        put(b, " outside ");
        put(b, VALUES[DURING][__builtin_ctz(r->except[noun])]);
    } else if (r->except[noun]) {
        put(b, " except");
        put_values(b, noun, r->except[noun]);
    }
}

static void draw_dates(struct mrule *r, struct buf *b)
{
    r->since = r->observe_until = INT64_MIN;
    r->until = INT64_MAX;
    unsigned since = draw(4), until = draw(4), observe = draw(4);
    if (draw(8) == 0) {
        r->since = DATES[since].since;
        assert_int_equal(buf_printf(b, " since %s", DATES[since].text), RC_OK);
    }
    if (draw(8) == 0 && DATES[until].until > r->since) {
        r->until = DATES[until].until;
        assert_int_equal(buf_printf(b, " until %s", DATES[until].text), RC_OK);
    }
    if (draw(16) == 0 && r->verb != LOG && r->verb != SET && !r->delegated) {
        r->observe_until = DATES[observe].until;
        assert_int_equal(buf_printf(b, " observe until %s", DATES[observe].text), RC_OK);
    }
}

static const char *const MODS[] = {"safe-search",       "youtube strict",    "quota 1h per user per day",
                                   "header \"X-A: 1\"", "header \"x-a: 2\"", "header \"X-B: 3\""};

static unsigned draw_verb(unsigned block)
{
    static const unsigned verbs[BLOCKS][8] = {
        {ALLOW, ALLOW, BLOCK, FORBID, LOG, ALLOW, BLOCK, ALLOW},
        {EXEMPT, EXEMPT, INSPECT, BLOCK, EXEMPT, INSPECT, EXEMPT, INSPECT},
        {ALLOW, BLOCK, FORBID, WARN, SET, LOG, ALLOW, BLOCK},
        {ALLOW, BLOCK, FORBID, LOG, BLOCK, ALLOW, BLOCK, BLOCK},
        {ALLOW, BLOCK, FORBID, LOG, BLOCK, ALLOW, BLOCK, BLOCK}};
    return verbs[block][draw(8)];
}

static void draw_rule(struct mrule *r, unsigned block, struct buf *b)
{
    static const char *const words[VERBS] = {"exempt", "inspect", "allow", "block",
                                             "forbid", "warn",    "set",   "log"};
    const char *comma = " ";
    *r = (struct mrule){.verb = draw_verb(block), .block = block};
    put(b, " ");
    put(b, words[r->verb]);
    if (r->verb == SET)
        r->mods = 1 + draw(B(N_MODS) - 1);
    for (unsigned i = 0; i < N_MODS; i++) {
        if (!(r->mods >> i & 1))
            continue;
        put(b, comma);
        put(b, MODS[i]);
        comma = ", ";
    }
    put(b, " any");
    for (unsigned noun = 0; noun < NOUNS; noun++) {
        if ((NOUNS_OF[block] >> noun & 1) && !(noun == FOR && r->verb == SET))
            draw_cond(r, noun, b);
    }
    draw_dates(r, b);
    put(b, r->verb == LOG ? " purpose test\n" : "\n");
}

static void take_rule(struct model *m, struct mtable *t, const struct mrule *r)
{
    struct mtable *to = r->verb == LOG ? &m->log : r->verb == SET ? &m->set : t;
    if (to->n < MODEL_RULES)
        to->rule[to->n++] = *r;
}

static void draw_block(struct model *m, struct mtable *t, unsigned block, unsigned n, struct buf *b)
{
    static const char *const words[BLOCKS] = {"firewall", "tls", "web", "content", "dns"};
    struct mrule r;
    put(b, words[block]);
    put(b, " {\n");
    for (unsigned i = 0; i < n; i++) {
        draw_rule(&r, block, b);
        take_rule(m, t, &r);
    }
    put(b, "}\n");
}

/* ---- delegated rules ---- */

/* For group g1 from lan, and no more than category c1. */
static const char DELEGATE[] = "delegate \"%s\" to \"Athenee\" for g1 from lan may grant category c1\n";

static void draw_delegate(struct model *m, char path[], struct buf *b)
{
    struct buf text = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    put(&text, "web {\n");
    for (unsigned i = draw(4); i > 0; i--) {
        static const unsigned verbs[] = {ALLOW, BLOCK, WARN};
        static const char *const words[] = {"allow category c1", "block", "warn"};
        unsigned kind = draw(3);
        struct mrule r = {.verb = verbs[kind], .block = IN_WEB, .delegated = true};
        put(&text, words[kind]);
        r.want[CATEGORY] = kind == 0 ? B(1) : 0;
        put(&text, kind ? " any" : "");
        draw_cond(&r, DOMAIN, &text);
        draw_cond(&r, METHOD, &text);
        draw_cond(&r, FROM, &text);
        draw_cond(&r, FOR, &text);
        draw_dates(&r, &text);
        put(&text, "\n");
        m->web.rule[m->web.n++] = r;
    }
    put(&text, "}\n");
    m->lead = m->web.n;
    assert_int_equal(write(fd, text.p, buf_len(&text)), buf_len(&text));
    close(fd);
    assert_int_equal(buf_printf(b, DELEGATE, path), RC_OK);
    buf_fini(&text);
}

/* ---- policies ---- */

static const char HEAD[] =
    "zone internet\nzone lan network 10.0.0.0/8, fd00::/8\nzone guests network 172.16.0.0/12 ca none\n"
    "zone faraway vpn site \"site\"\n"
    "group g0 user \"u0\", \"u1\"\ngroup g1 user \"u1\" network 10.64.0.0/12\n"
    "group g2 radius class \"eleve\" stale 1h\ngroup g3 ldap \"cn=staff,dc=test\" user \"u2\", \"u0\" stale "
    "1h\n"
    "schedule s0 mon-fri 08:15-12:00 13:00-16:30 except 2027-03-29\n"
    "schedule s1 sat-sun 22:00-03:00\n"
    "schedule s2 2027-03-28 01:30-03:30\n"
    "schedule s3 mon-sun 02:00-14:00 zone \"America/New_York\"\n";

/* An expression of c0 that fits any host. */
#define EXPRESSION "/bc/"

static void write_list(const char *dir, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* c0 to c2 with the lists they name, in a folder of their own. */
static void draw_categories(struct model *m, const char *dir, struct buf *b)
{
    m->lists = draw(LISTS);
    for (unsigned c = 0; c < 3 && m->lists != LISTS_NONE; c++) {
        char text[256] = "", name[8];
        for (unsigned i = 0; i < N_URLS; i++) {
            size_t n = strlen(text);
            if (URLS[i].category == c)
                snprintf(text + n, sizeof text - n, "%s%s\n", URLS[i].host, URLS[i].path);
        }
        snprintf(name, sizeof name, "u%u", c);
        write_list(dir, name, text);
    }
    write_list(dir, "expressions", EXPRESSION "\n");
    write_list(dir, "domains", "never.test\n");
    char urls[3][160] = {""}, ut1[160] = "";
    for (unsigned c = 0; c < 3 && m->lists != LISTS_NONE; c++)
        snprintf(urls[c], sizeof urls[c], " urls \"%s/u%u\"", dir, c);
    if (m->lists == LISTS_EXPRESSIONS)
        snprintf(ut1, sizeof ut1, " ut1 \"%s\"", dir + strlen("/tmp/"));
    assert_int_equal(buf_printf(b,
                                "lists \"/tmp\"\ncategory c0 domain \"example\"%s%s\n"
                                "category c1 domain \"b.example\", \"other.test\"%s\n"
                                "category c2 domain \"b.example\"%s except domain \"a.b.example\"\n",
                                urls[0], ut1, urls[1], urls[2]),
                     RC_OK);
}

static void remove_lists(const char *dir)
{
    static const char *const names[] = {"u0", "u1", "u2", "expressions", "domains", ""};
    for (unsigned i = 0; i < 6; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)remove(path);
    }
}

static void draw_observe(struct model *m, struct buf *b)
{
    struct mrule r = {.since = INT64_MIN};
    unsigned until = draw(4);
    if (draw(4))
        return;
    r.until = DATES[until].until;
    r.want[FROM] = 1 + draw(7);
    put(b, "observe");
    put_values(b, FROM, r.want[FROM]);
    assert_int_equal(buf_printf(b, " until %s\n", DATES[until].text), RC_OK);
    m->observe.rule[m->observe.n++] = r;
}

static void compile_model(struct model *m, struct buf *b)
{
    static struct compiled c;
    struct compile_opts opts = {0};
    compile_bytes(buf_span(b), &opts, &c);
    if (c.rc != RC_OK)
        print_error("%s", c.diag);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(snapshot_open(c.fds, c.hash, &m->snap), RC_OK);
    compiled_close(&c);
    const struct img_table *t = m->snap->img.TABLES;
    m->firewall.first = t[TABLE_FIREWALL].rules.at;
    m->tls.first = t[TABLE_TLS].rules.at;
    m->web.first = t[TABLE_WEB].rules.at;
    m->content.first = t[TABLE_CONTENT].rules.at;
    m->dns.first = t[TABLE_DNS].rules.at;
    m->set.first = t[TABLE_SET].rules.at;
    m->log.first = t[TABLE_LOG].rules.at;
    m->observe.first = t[TABLE_OBSERVE].rules.at;
}

void model_draw(struct model *m, unsigned most)
{
    char path[] = "/tmp/perron-deleg-XXXXXX", lists[] = "/tmp/perron-model-XXXXXX";
    struct buf b = {0};
    memset(m, 0, sizeof *m);
    assert_non_null(mkdtemp(lists));
    put(&b, HEAD);
    draw_categories(m, lists, &b);
    draw_observe(m, &b);
    draw_observe(m, &b);
    bool delegate = draw(2);
    if (delegate)
        draw_delegate(m, path, &b);
    unsigned n = draw(5);
    if (n)
        draw_block(m, &m->firewall, IN_FIREWALL, n + most / 20, &b);
    m->has_firewall = n > 0;
    draw_block(m, &m->tls, IN_TLS, draw(5) + most / 8, &b);
    draw_block(m, &m->web, IN_WEB, most / 2 + draw(most / 2), &b);
    draw_block(m, &m->content, IN_CONTENT, draw(6) + most / 8, &b);
    draw_block(m, &m->dns, IN_DNS, draw(4), &b);
    compile_model(m, &b);
    remove_lists(lists);
    if (delegate)
        unlink(path);
    buf_fini(&b);
}

void model_free(struct model *m)
{
    snapshot_put(m->snap);
}
