/* From files to sealed parts: what is refused and how, what a part is, what of the outside counts. */
#include "policy/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "gw/base/limits.h"
#include "policy/index.h"
#include "policy/parse.h"
#include "tests/unit/policy/snap_help.h"

static struct compiled c;

static void expect_error(span text, const char *part)
{
    struct compile_opts opts = {0};
    compile_bytes(text, &opts, &c);
    assert_int_equal(c.rc, RC_CONFIG);
    assert_int_equal(c.fds[0], -1);
    assert_int_equal(c.fds[1], -1);
    if (!strstr(c.diag, part))
        print_error("%s", c.diag);
    assert_non_null(strstr(c.diag, part));
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static void a_file_that_is_not_there(void **state)
{
    struct buf diag = {0};
    struct compile_opts opts = {0};
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH];
    (void)state;
    assert_int_equal(policy_compile("/no/such.policy", &opts, fds, hash, &diag), RC_CONFIG);
    assert_true(span_eq(buf_span(&diag), SPAN("/no/such.policy:1:1: error: there is no such file\n")));
    buf_clear(&diag);
    assert_int_equal(policy_compile("/", &opts, fds, hash, &diag), RC_CONFIG);
    assert_true(span_eq(buf_span(&diag), SPAN("/:1:1: error: this is not a file\n")));
    buf_clear(&diag);
    assert_int_equal(policy_compile("/dev/zero", &opts, fds, hash, &diag), RC_CONFIG);
    assert_true(span_eq(buf_span(&diag), SPAN("/dev/zero:1:1: error: this is not a file\n")));
    buf_fini(&diag);
}

/* One error each, whatever the megabyte holds. */
static void a_line_of_a_megabyte(void **state)
{
    static uint8_t text[1 << 20];
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        memset(text, "a, \"{"[kind], sizeof text);
        expect_error(span_of(text, sizeof text), "this line is longer than 65536 bytes");
        assert_int_equal(count(c.diag, "error:"), 1);
        assert_true(strlen(c.diag) < 1024);
    }
}

static void random_bytes_and_endless_brackets(void **state)
{
    static uint8_t text[60000];
    uint32_t x = 1;
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    expect_error(span_of(text, sizeof text), "error:");
    assert_int_equal(count(c.diag, "error:"), 1);
    memset(text, '{', sizeof text);
    expect_error(span_of(text, sizeof text), "expected a setting");
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? '\n' : '}';
    expect_error(span_of(text, sizeof text), "closes nothing");
    assert_int_equal(count(c.diag, "error:"), 20);
    assert_non_null(strstr(c.diag, "... and 29980 more errors"));
}

static void encodings(void **state)
{
    static const char *const bad[] = {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
                                      "\x80",     "\xff",         "\xf0\x80\x80\x80"};
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "# %s", bad[i]);
        expect_error(span_str(text), ":1:3: error: this is not UTF-8 text");
    }
    expect_error(span_of("\xfe\xff\0w", 4), "not UTF-8");
    expect_error(span_of("web {\0}", 7), ":1:6: error: control character 0x00");
}

static void too_large_a_file(void **state)
{
    char path[] = "/tmp/perron-policy-XXXXXX";
    struct buf diag = {0};
    struct compile_opts opts = {0};
    int fds[SNAP_PARTS], fd = mkstemp(path);
    uint8_t hash[SNAP_HASH];
    (void)state;
    assert_int_equal(ftruncate(fd, (off_t)17 << 20), 0);
    assert_int_equal(policy_compile(path, &opts, fds, hash, &diag), RC_CONFIG);
    assert_non_null(strstr((const char *)diag.p, "the file is too large for a policy"));
    close(fd);
    unlink(path);
    buf_fini(&diag);
}

/* As many rules as decide() has room for, and one more. */
static void too_many_rules(void **state)
{
    struct buf text = {0};
    struct compile_opts opts = {.check_only = true};
    (void)state;
    assert_int_equal(buf_put_str(&text, "zone lan network 10.0.0.0/8\nweb {\n"), RC_OK);
    for (unsigned i = 0; i < LIM_POLICY_RULES; i++)
        assert_int_equal(buf_printf(&text, "block domain \"h%u.test\"\n", i), RC_OK);
    size_t end = text.w;
    assert_int_equal(buf_put_str(&text, "}\n"), RC_OK);
    compile_bytes(buf_span(&text), &opts, &c);
    assert_int_equal(c.rc, RC_OK);
    text.w = end;
    assert_int_equal(buf_put_str(&text, "allow any\n}\n"), RC_OK);
    expect_error(buf_span(&text), ":65539:1: error: more than 65536 `web` rules");
    assert_int_equal(count(c.diag, "error:"), 1);
    buf_fini(&text);
}

static void put_many(struct buf *text, unsigned n, const char *rule)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(buf_put_str(text, rule), RC_OK);
}

/* `log` rules of all blocks are tried together: half of them in `web`, the others in `dns`. */
static void too_many_log_rules(void **state)
{
    static const char rule[] = "log any purpose security\n";
    struct buf text = {0};
    (void)state;
    assert_int_equal(buf_put_str(&text, "zone lan network 10.0.0.0/8\nweb {\nallow any\n"), RC_OK);
    put_many(&text, LIM_POLICY_RULES / 2, rule);
    assert_int_equal(buf_put_str(&text, "}\ndns {\n"), RC_OK);
    put_many(&text, LIM_POLICY_RULES, rule);
    assert_int_equal(buf_put_str(&text, "}\n"), RC_OK);
    expect_error(buf_span(&text), ":65542:1: error: more than 65536 `log` rules");
    assert_int_equal(count(c.diag, "error:"), 1);
    assert_non_null(strstr(c.diag, "those of all blocks count together"));
    buf_fini(&text);
}

static void too_many_observe_statements(void **state)
{
    static const char rule[] = "observe from network 10.0.0.0/24 until 2027-01-15\n";
    struct buf text = {0};
    (void)state;
    assert_int_equal(buf_put_str(&text, "zone lan network 10.0.0.0/8\nweb { allow any }\n"), RC_OK);
    put_many(&text, 2 * LIM_POLICY_RULES, rule);
    expect_error(buf_span(&text), ":65539:1: error: more than 65536 `observe` rules");
    assert_int_equal(count(c.diag, "error:"), 1);
    buf_fini(&text);
}

/* Who builds a part of what nobody checked gets no more than decide() has room for either. */
static void too_many_rules_unchecked(void **state)
{
    static struct tree tree;
    struct buf text = {0}, said = {0};
    struct diag d = {.out = &said, .tree = &tree};
    struct part part;
    (void)state;
    tree_init(&tree);
    part_init(&part);
    assert_int_equal(buf_put_str(&text, "web {\n"), RC_OK);
    for (unsigned i = 0; i <= LIM_POLICY_RULES; i++)
        assert_int_equal(buf_printf(&text, "allow domain \"d%u.test\"\n", i), RC_OK);
    assert_int_equal(buf_put_str(&text, "}\n"), RC_OK);
    policy_parse_text(&d, "many", buf_span(&text));
    assert_int_equal(d.errors, 0);
    assert_int_equal(index_build(&tree, &part), RC_LIMIT);
    part_fini(&part);
    tree_fini(&tree);
    buf_fini(&said);
    buf_fini(&text);
}

/* ---- what comes out ---- */

static const char GOOD[] = "zone lan interface eth7 network 10.0.0.0/8\nweb { allow any }\n";

static void parts_are_sealed_and_named_by_content(void **state)
{
    static struct compiled d;
    (void)state;
    compile_text(GOOD, &c);
    assert_int_equal(c.rc, RC_OK);
    assert_string_equal(c.diag, "");
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        assert_int_equal(fcntl(c.fds[i], F_GET_SEALS),
                         F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
        assert_int_equal(ftruncate(c.fds[i], 1), -1);
        assert_int_equal(ftruncate(c.fds[i], 1 << 20), -1);
        assert_int_equal(write(c.fds[i], "x", 1), -1);
    }
    compile_text("zone lan interface eth7 network 10.0.0.0/8\nweb { allow any  reason \"x\" }\n", &d);
    assert_memory_not_equal(c.hash, d.hash, SNAP_HASH);
    compiled_close(&d);
    compiled_close(&c);
}

static void the_same_text_has_the_same_hash(void **state)
{
    uint8_t first[SNAP_HASH];
    struct compile_opts opts = {0};
    char path[] = "/tmp/perron-policy-XXXXXX";
    struct buf diag = {0};
    int fds[SNAP_PARTS], fd = mkstemp(path);
    (void)state;
    assert_true(write(fd, GOOD, sizeof GOOD - 1) > 0);
    close(fd);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t hash[SNAP_HASH];
        assert_int_equal(policy_compile(path, &opts, fds, hash, &diag), RC_OK);
        if (i)
            assert_memory_equal(first, hash, SNAP_HASH);
        memcpy(first, hash, SNAP_HASH);
        for (unsigned k = 0; k < SNAP_PARTS; k++)
            close(fds[k]);
    }
    unlink(path);
    buf_fini(&diag);
}

static void checking_makes_no_part(void **state)
{
    struct compile_opts opts = {.check_only = true};
    uint8_t none[SNAP_HASH] = {0};
    (void)state;
    compile_bytes(span_str(GOOD), &opts, &c);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(c.fds[0], -1);
    assert_int_equal(c.fds[1], -1);
    assert_memory_not_equal(c.hash, none, SNAP_HASH);
}

static void the_starter_policy_passes_without_a_word(void **state)
{
    struct buf diag = {0};
    struct compile_opts opts = {.check_only = true};
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH];
    (void)state;
    assert_int_equal(policy_compile("policy/starter.policy", &opts, fds, hash, &diag), RC_OK);
    assert_int_equal(buf_len(&diag), 0);
    buf_fini(&diag);
}

/* ---- the outside ---- */

static bool no_interface(const char *name)
{
    assert_string_equal(name, "eth7");
    return false;
}

static bool every_interface(const char *name)
{
    return name[0] != '\0';
}

static void a_missing_interface(void **state)
{
    struct compile_opts opts = {.has_interface = no_interface};
    (void)state;
    compile_bytes(span_str(GOOD), &opts, &c);
    assert_int_equal(c.rc, RC_CONFIG);
    assert_non_null(strstr(c.diag, ":1:20: error: this machine has no interface `eth7`"));
    opts.check_only = true;
    compile_bytes(span_str(GOOD), &opts, &c);
    assert_int_equal(c.rc, RC_OK);
    assert_non_null(strstr(c.diag, ":1:20: warning: this machine has no interface `eth7`"));
    opts = (struct compile_opts){.has_interface = every_interface};
    compile_bytes(span_str(GOOD), &opts, &c);
    assert_int_equal(c.rc, RC_OK);
    assert_string_equal(c.diag, "");
    compiled_close(&c);
}

static const char NODES[] =
    "zone internet\nzone lan network 10.0.0.0/8\nnode a { zone lan interface eth1 }\n"
    "node b { zone lan interface eth2   zone internet interface eth3 }\nweb { allow any }\n";

static void one_node_is_ours(void **state)
{
    struct compile_opts opts = {.node = "b"};
    struct snapshot *s;
    (void)state;
    compile_bytes(span_str(NODES), &opts, &c);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(snapshot_open(c.fds, c.hash, &s), RC_OK);
    assert_true(span_eq(snapshot_settings(s)->node, SPAN("b")));
    assert_true(span_eq(snapshot_zone(s, 1)->interface, SPAN("eth2")));
    assert_true(span_eq(snapshot_zone(s, 0)->interface, SPAN("eth3")));
    snapshot_put(s);
    compiled_close(&c);
    opts.node = NULL;
    compile_bytes(span_str(NODES), &opts, &c);
    assert_int_equal(c.rc, RC_CONFIG);
    assert_non_null(strstr(c.diag, "which of these nodes is this machine?"));
    opts.check_only = true;
    compile_bytes(span_str(NODES), &opts, &c);
    assert_int_equal(c.rc, RC_OK);
    assert_string_equal(c.diag, "");
}

/* ---- settings as the gateway reads them ---- */

static void settings_and_their_defaults(void **state)
{
    struct snapshot *s = snap_of("web { allow any }\n");
    const struct settings *set = snapshot_settings(s);
    (void)state;
    assert_int_equal(set->n_listen, 0);
    assert_int_equal(set->n_resolvers, 0);
    assert_int_equal(set->workers, 0);
    assert_true(set->private_block);
    assert_int_equal(set->n_ports, 2);
    assert_int_equal(set->port[0], 80);
    assert_int_equal(set->port[1], 443);
    assert_true(span_eq(set->crl, SPAN("http://192.0.2.222/perron.crl")));
    assert_int_equal(set->pool, POOL_OWN);
    assert_int_equal(set->trust.n + set->help_mail.n + set->help_telephone.n + set->node.n, 0);
    assert_int_equal(set->n_zones, 3);
    snapshot_put(s);
    s = snap_of("listen transparent port 3129\nlisten explicit [fd00::1]:3128\nlisten explicit :8080\n"
                "resolver 10.0.0.53, fd00::53\nworkers 4\nprivate-destinations allow\npool none\ndivert tcp "
                "443, 8443, 80\n"
                "trust \"/etc/ssl/certs/ca-certificates.crt\"\ncrl \"http://h.test/crl\"\n"
                "help telephone \"04/1\" mail \"a@b.test\"\nweb { allow any }\n");
    set = snapshot_settings(s);
    assert_int_equal(set->n_listen, 3);
    assert_int_equal(set->listen[0].kind, LISTEN_TRANSPARENT);
    assert_int_equal(set->listen[0].port, 3129);
    assert_int_equal(set->listen[0].addr.family, 0);
    assert_int_equal(set->listen[1].kind, LISTEN_EXPLICIT);
    struct addr a = addr_of("fd00::1");
    assert_true(addr_eq(&set->listen[1].addr, &a));
    assert_int_equal(set->listen[2].addr.family, 0);
    assert_int_equal(set->listen[2].port, 8080);
    a = addr_of("fd00::53");
    assert_int_equal(set->n_resolvers, 2);
    assert_true(addr_eq(&set->resolver[1], &a));
    assert_int_equal(set->workers, 4);
    assert_false(set->private_block);
    assert_int_equal(set->pool, POOL_NONE);
    assert_int_equal(set->n_ports, 3);
    assert_int_equal(set->port[2], 80);
    assert_true(span_eq(set->trust, SPAN("/etc/ssl/certs/ca-certificates.crt")));
    assert_true(span_eq(set->crl, SPAN("http://h.test/crl")));
    assert_true(span_eq(set->help_telephone, SPAN("04/1")));
    assert_true(span_eq(set->help_mail, SPAN("a@b.test")));
    snapshot_put(s);
}

/* The whole of an address family, and networks that end with it. */
/* Also in a policy without a schedule or a date. */
static void clocks_of_the_policys_time_zone(void **state)
{
    enum { WINTER = 1795514400, SPRING = 1806195600 }; /* 2026-11-24 10:00, 2027-03-28 01:00 UTC */
    static const struct {
        const char *text;
        int32_t winter_s, spring_s;
    } rows[] = {
        {"web { allow any }\n", 3600, 7200},
        {"time-zone \"America/Caracas\"\nweb { allow any }\n", -14400, -14400},
        {"time-zone \"Asia/Kolkata\"\nweb { allow any }\n", 19800, 19800},
        {"time-zone \"UTC\"\nschedule night mon-sun 20:00-24:00 zone \"Europe/Brussels\"\nweb { block during "
         "night\n allow any }\n",
         0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct snapshot *s = snap_of(rows[i].text);
        assert_int_equal(snapshot_offset_s(s, WINTER), rows[i].winter_s);
        assert_int_equal(snapshot_offset_s(s, SPRING - 1), rows[i].winter_s);
        assert_int_equal(snapshot_offset_s(s, SPRING), rows[i].spring_s);
        snapshot_put(s);
    }
}

static void the_ends_of_the_address_space(void **state)
{
    struct snapshot *s =
        snap_of("zone all network ::/0, 0.0.0.0/0\nzone top network ff00::/8, 255.0.0.0/8\nzone last network "
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff, 255.255.255.255\nweb { allow any }\n");
    static const struct {
        const char *addr;
        uint16_t zone;
    } rows[] = {{"::", 3},
                {"1::", 3},
                {"feff:ffff::", 3},
                {"ff00::", 4},
                {"ffff::", 4},
                {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 4},
                {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 5},
                {"fd00::", 1},
                {"0.0.0.0", 3},
                {"254.255.255.255", 3},
                {"255.0.0.0", 4},
                {"255.255.255.254", 4},
                {"255.255.255.255", 5},
                {"10.0.0.0", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct addr a = addr_of(rows[i].addr);
        assert_int_equal(snapshot_zone_of(s, &a), rows[i].zone);
    }
    snapshot_put(s);
}

static void zones_and_who_is_in_them(void **state)
{
    struct snapshot *s =
        snap_of("zone room interface eth1 network 10.5.0.0/16, 10.6.0.0/16, fd00:5::/32 source keep\n"
                "zone desk network 10.5.5.5\nzone rest network 0.0.0.0/0\nuser \"jean\" address 10.5.5.5, "
                "fd00::7\nweb { allow any }\n");
    static const struct {
        const char *addr;
        uint16_t zone;
    } rows[] = {{"10.5.0.0", 3},
                {"10.5.255.255", 3},
                {"10.6.1.1", 3},
                {"10.4.255.255", 1},
                {"10.7.0.0", 1},
                {"10.5.5.5", 4},
                {"10.5.5.4", 3},
                {"10.5.5.6", 3},
                {"172.16.0.0", 2},
                {"172.32.0.0", 5},
                {"0.0.0.0", 5},
                {"255.255.255.255", 5},
                {"9.255.255.255", 5},
                {"fd00:5::1", 3},
                {"fd00:4:ffff::1", 1},
                {"fd00:6::", 1},
                {"fe00::", ZONE_NONE},
                {"::", ZONE_NONE},
                {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ZONE_NONE}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct addr a = addr_of(rows[i].addr);
        assert_int_equal(snapshot_zone_of(s, &a), rows[i].zone);
    }
    struct addr none = {0}, jean = addr_of("fd00::7"), luc = addr_of("10.5.5.6");
    assert_int_equal(snapshot_zone_of(s, &none), ZONE_NONE);
    assert_true(span_eq(snapshot_user_of(s, &jean), SPAN("jean")));
    assert_int_equal(snapshot_user_of(s, &luc).n, 0);
    assert_int_equal(snapshot_user_of(s, &none).n, 0);
    const struct set_zone *z = snapshot_zone(s, 3);
    assert_true(z->source_keep && !z->ca_none && !z->internet && z->n_networks == 3);
    assert_true(span_eq(z->name, SPAN("room")) && span_eq(z->interface, SPAN("eth1")));
    assert_true(snapshot_zone(s, 0)->internet && snapshot_zone(s, 2)->ca_none);
    assert_int_equal(snapshot_zone_network(s, 3, 1).bits, 16);
    assert_int_equal(snapshot_zone_network(s, 3, 3).addr.family, 0);
    assert_int_equal(snapshot_zone_network(s, 77, 0).addr.family, 0);
    assert_null(snapshot_zone(s, 6));
    snapshot_put(s);
}

/* Without `crl` the pointer is an address that every client zone leads to the gateway. */
static void the_crl_pointer_has_a_default(void **state)
{
    static const struct {
        const char *text, *url;
    } cases[] = {
        {"listen transparent port 3129\n" ZONES, "http://192.0.2.222/perron.crl"},
        {"listen explicit :3128\n" ZONES, "http://192.0.2.222/perron.crl"},
        {"listen explicit 127.0.0.1:3128\nlisten explicit 0.0.0.0:3128\n" ZONES,
         "http://192.0.2.222/perron.crl"},
        {"listen explicit [fe80::1]:3128\nlisten transparent port 3129\n" ZONES,
         "http://192.0.2.222/perron.crl"},
        {"listen transparent port 3129\ndivert tcp 443, 80\n" ZONES, "http://192.0.2.222/perron.crl"},
        {"listen transparent port 3129\ndivert tcp 8443, 443\n" ZONES, "http://192.0.2.222:8443/perron.crl"},
        {"listen transparent port 3129\nlisten explicit 10.0.0.1:3128\n" ZONES,
         "http://10.0.0.1:3128/perron.crl"},
        {"listen explicit [fd00::1]:3128\nlisten explicit 10.0.0.1:80\n" ZONES, "http://10.0.0.1/perron.crl"},
        {"listen explicit [fd00::1]:3128\n" ZONES, "http://[fd00::1]:3128/perron.crl"},
        {"listen transparent port 3129\nzone internet\nzone lan network fd00::/8\n",
         "http://[2001:db8::222]/perron.crl"},
        {"listen transparent port 3129\nzone internet\nzone lan network fd00::/8, 10.0.0.0/8\n",
         "http://192.0.2.222/perron.crl"},
        {"crl \"http://own.test/x\"\nlisten explicit 10.0.0.1:3128\n" ZONES, "http://own.test/x"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct compile_opts opts = {0};
        struct snapshot *s;
        char text[1024];
        snprintf(text, sizeof text, "%sweb { allow any }\n", cases[i].text);
        compile_bytes(span_str(text), &opts, &c);
        if (c.rc != RC_OK)
            fail_msg("case %zu: %s", i, c.diag);
        assert_int_equal(snapshot_open(c.fds, c.hash, &s), RC_OK);
        if (!span_eq(snapshot_settings(s)->crl, span_str(cases[i].url)))
            fail_msg("case %zu: %.*s", i, (int)snapshot_settings(s)->crl.n, snapshot_settings(s)->crl.p);
        snapshot_put(s);
        compiled_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_not_there),
        cmocka_unit_test(a_line_of_a_megabyte),
        cmocka_unit_test(random_bytes_and_endless_brackets),
        cmocka_unit_test(encodings),
        cmocka_unit_test(too_large_a_file),
        cmocka_unit_test(too_many_rules),
        cmocka_unit_test(too_many_log_rules),
        cmocka_unit_test(too_many_observe_statements),
        cmocka_unit_test(too_many_rules_unchecked),
        cmocka_unit_test(parts_are_sealed_and_named_by_content),
        cmocka_unit_test(the_same_text_has_the_same_hash),
        cmocka_unit_test(checking_makes_no_part),
        cmocka_unit_test(the_starter_policy_passes_without_a_word),
        cmocka_unit_test(a_missing_interface),
        cmocka_unit_test(one_node_is_ours),
        cmocka_unit_test(settings_and_their_defaults),
        cmocka_unit_test(the_crl_pointer_has_a_default),
        cmocka_unit_test(clocks_of_the_policys_time_zone),
        cmocka_unit_test(the_ends_of_the_address_space),
        cmocka_unit_test(zones_and_who_is_in_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
