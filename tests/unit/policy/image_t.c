/* A part is never trusted because it came from us: thousands of damaged ones are opened and asked; most are
 * refused, none crashes (this runs under sanitizers too). And the snapshot's own checks. */
#include "policy/image.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "policy/part.h"
#include "tests/unit/policy/snap_help.h"

#define LIST "tests/policy/lists/some-good-lines.txt"

static const char POLICY[] = ZONES
    "host h 10.0.0.1\ngroup g user \"u\", \"v\"\ngroup n network 10.4.0.0/16\nuser \"u\" address 10.0.0.9\n"
    "zone far vpn site \"far\"\ngroup l ldap \"cn=l,dc=test\" stale 1h\ngroup r radius class \"r\"\n"
    "schedule day mon-fri 08:00-18:00 except 2026-12-21..2027-01-03\nschedule night sat-sun 22:00-06:00 zone "
    "\"America/New_York\"\nschedule exam 2027-06-01 08:00-12:00\nobserve from lan during day until "
    "2027-01-01\n"
    "firewall {\n allow from lan, far to internet tcp 1-65535 quic refuse\n allow to internet udp 53\n "
    "forbid icmp\n"
    " log application tor purpose net\n masquerade from lan to internet\n}\n"
    "content {\n block signature severity 1-2\n forbid virus\n block type executable during night\n"
    " log pattern iban purpose leak\n}\ndns { block domain \"bad.test\" }\n"
    "category l file \"%s/" LIST "\" except domain \"e.c.test\"\n"
    "category c domain \"c.test\"\ncategory d domain \"d.c.test\", \"192.0.2.1\"\nresolver 10.0.0.53\nlisten "
    "explicit :3128\n"
    "tls {\n exempt category c for g\n exempt certificate asks-client-certificate category d\n allow "
    "certificate expired for user \"v\"\n inspect any\n}\n"
    "web {\n block category d, none from lan to host h tcp 1-443 except domain \"x.d.c.test\"\n block upload "
    "for n\n"
    " warn path \"/a/b\" for l until 2027-01-01\n forbid path \"/a\" for r outside exam since 2026-01-01\n"
    " set youtube strict, quota 1h per user per day, header \"X-A: b\" domain \"c.test\"\n log any purpose "
    "p\n"
    " allow method GET, HEAD from 10.0.0.0/9\n allow any for unidentified\n}\non journal-full block for g "
    "allow\n";

static struct compiled whole;
/* The parts that are never empty. */
enum { FULL = PART_LISTS + 1 };
static uint8_t *bytes[FULL];
static size_t sizes[FULL];

static int setup(void **state)
{
    static char policy[8192], here[4096];
    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    snprintf(policy, sizeof policy, POLICY, here);
    compile_text(policy, &whole);
    if (whole.rc != RC_OK || whole.diag[0])
        print_error("%s", whole.diag);
    assert_int_equal(whole.rc, RC_OK);
    for (unsigned i = 0; i < FULL; i++) {
        off_t n = lseek(whole.fds[i], 0, SEEK_END);
        bytes[i] = malloc((size_t)n);
        sizes[i] = (size_t)n;
        assert_int_equal(pread(whole.fds[i], bytes[i], sizes[i], 0), n);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FULL; i++)
        free(bytes[i]);
    compiled_close(&whole);
    return 0;
}

static enum rc open_bytes(unsigned part, span text, struct snapshot **s)
{
    int fds[SNAP_PARTS], fd = -1;
    memcpy(fds, whole.fds, sizeof fds);
    assert_int_equal(part_seal("test", text, &fd), RC_OK);
    fds[part] = fd;
    enum rc rc = snapshot_open(fds, NULL, s);
    close(fd);
    return rc;
}

static size_t ask_lists(const struct snapshot *s, struct facts *f)
{
    static const char *const paths[] = {"/", "/a/b/c", "/x"};
    struct category_hit hits[8];
    struct held_entry held;
    size_t sum = 0;
    f->known |= FACT_BIT(PATH);
    for (unsigned i = 0; i < 3; i++) {
        f->path = span_str(paths[i]);
        snapshot_categories(s, f);
        size_t n = snapshot_category_hits(s, f, hits, 8);
        for (size_t k = 0; k < n; k++)
            sum += hits[k].entry.n + hits[k].file.n + hits[k].list.n + hits[k].line +
                   snapshot_category_name(s, hits[k].category).n;
        sum += snapshot_categories_confirm(s, f);
    }
    for (uint64_t i = 0; i < 9 && snapshot_held(s, i, &held); i++)
        sum += held.entry.n;
    return sum;
}

/* Everything that reads a part, on every kind of fact. */
static void ask_everything(const struct snapshot *s)
{
    static const char *const src[] = {"10.0.0.9", "10.4.0.1", "172.16.0.1", "fd00::1", "192.0.2.1"};
    static const char *const names[] = {"c.test", "x.d.c.test", "", "url.test"};
    volatile size_t sum = 0;
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned k = 0; k < 4; k++) {
            struct facts f = hello(s, src[i], k % 2 ? "u" : "", names[k]);
            f.dst = addr_of(src[k]);
            f.method = SPAN("GET");
            f.path = SPAN("/a/b/c");
            f.defects = 0xffffffff;
            f.time_s = 1795510800 + (int64_t)i * 86400 * 40 + k * 7000;
            f.vpn = k == 3 ? SPAN("far") : SPAN_NONE;
            f.attrs[0] = SPAN("ldap:cn=l,dc=test");
            f.attrs[1] = SPAN("radius:class=r");
            f.n_attrs = 2;
            f.virus = f.type = SPAN("executable");
            f.severity = (uint8_t)k;
            f.patterns[f.n_patterns++] = SPAN("iban");
            f.app = SPAN("tor");
            for (unsigned step = 0; step < 8; step++) {
                struct verdict v;
                f.step = (enum step)(step % 4);
                f.known |= step > 3 ? ~UINT64_C(0) : 0;
                decide_dns(s, &f, &v);
                decide_tls(s, &f, &v);
                decide(s, &f, &v);
                for (unsigned n = 0; n < v.n_mods; n++)
                    sum += v.mods[n].value.n + v.mods[n].rule;
                sum += snapshot_rule(s, v.rule).text.n + snapshot_category_name(s, v.category).n;
            }
            for (unsigned e = 0; e < ON_N; e++)
                sum += snapshot_on(s, (enum on_event)e, &f);
            sum += snapshot_user_of(s, &f.src).n + ask_lists(s, &f);
        }
    }
    struct facts nobody = {.user = SPAN("u"), .src = addr_of("10.4.0.1")};
    struct group_hit hits[4];
    int64_t until;
    sum += snapshot_groups_of(s, &nobody, hits, 4) + snapshot_zone_of_vpn(s, SPAN("far"));
    for (uint32_t i = 0; i < snapshot_n_schedules(s) && i < 10; i++)
        sum += snapshot_schedule_active(s, i, 1795510800, &until) + snapshot_schedule_name(s, i).n;
    for (uint32_t i = 0; i < snapshot_n_rules(s) && i < 100; i++)
        sum += snapshot_rule(s, i).file.n + decide_why_not(s, &nobody, i).asks;
    for (uint16_t z = 0; z < snapshot_settings(s)->n_zones && z < 100; z++)
        sum += snapshot_zone(s, z)->name.n + snapshot_zone_network(s, z, 0).bits;
    (void)sum;
}

/* ---- refused ---- */

static void truncated_parts_are_refused(void **state)
{
    struct snapshot *s;
    (void)state;
    for (unsigned part = 0; part < FULL; part++) {
        for (size_t n = 1; n < sizes[part]; n += n < 600 ? 1 : 97) {
            assert_int_equal(open_bytes(part, span_of(bytes[part], n), &s), RC_BAD);
            assert_null(s);
        }
    }
}

static void longer_parts_are_refused(void **state)
{
    struct snapshot *s;
    (void)state;
    for (unsigned part = 0; part < FULL; part++) {
        uint8_t *more = calloc(1, sizes[part] + 8);
        memcpy(more, bytes[part], sizes[part]);
        assert_int_equal(open_bytes(part, span_of(more, sizes[part] + 8), &s), RC_BAD);
        free(more);
    }
}

static void another_version_is_refused(void **state)
{
    struct snapshot *s;
    (void)state;
    for (unsigned part = 0; part < FULL; part++) {
        for (unsigned at = 0; at < 12; at++) {
            bytes[part][at] ^= 1;
            assert_int_equal(open_bytes(part, span_of(bytes[part], sizes[part]), &s), RC_BAD);
            bytes[part][at] ^= 1;
        }
    }
}

/* Parts of two policies: as many categories must be in both. */
static void parts_that_do_not_belong_together_are_refused(void **state)
{
    static struct compiled other;
    struct snapshot *s;
    (void)state;
    compile_text(ZONES "web { allow any }\n", &other);
    for (unsigned part = 0; part <= PART_LISTS_TEXT; part++) {
        int fds[SNAP_PARTS];
        memcpy(fds, whole.fds, sizeof fds);
        fds[part] = other.fds[part];
        assert_int_equal(snapshot_open(fds, NULL, &s), RC_BAD);
        fds[part] = whole.fds[(part + 1) % PART_GRANTS];
        assert_int_equal(snapshot_open(fds, NULL, &s), RC_BAD);
    }
    compiled_close(&other);
}

static void another_hash_is_refused(void **state)
{
    struct snapshot *s;
    uint8_t hash[SNAP_HASH];
    (void)state;
    for (unsigned i = 0; i < SNAP_HASH; i++) {
        memcpy(hash, whole.hash, sizeof hash);
        hash[i] ^= 0x80;
        assert_int_equal(snapshot_open(whole.fds, hash, &s), RC_BAD);
        assert_null(s);
    }
}

static void a_part_that_can_still_change_is_refused(void **state)
{
    static const int seals[] = {
        0, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_WRITE,
        F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_WRITE, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE};
    struct snapshot *s;
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        int fds[SNAP_PARTS];
        memcpy(fds, whole.fds, sizeof fds);
        fds[0] = memfd_create("t", MFD_ALLOW_SEALING);
        assert_int_equal(write(fds[0], bytes[0], sizes[0]), sizes[0]);
        assert_int_equal(fcntl(fds[0], F_ADD_SEALS, seals[i]), 0);
        assert_int_equal(snapshot_open(fds, NULL, &s), RC_BAD);
        close(fds[0]);
    }
    int fds[SNAP_PARTS] = {-1, -1, -1, -1};
    assert_int_equal(snapshot_open(fds, NULL, &s), RC_BAD);
    fds[0] = fds[1] = fds[2] = 0;
    assert_int_equal(snapshot_open(fds, NULL, &s), RC_BAD);
}

/* ---- damaged ---- */

static uint64_t seed = 1;
static uint32_t draw(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % n;
}

static void damage(uint8_t *b, size_t n)
{
    static const uint32_t odd[] = {0, 1, 2, 63, 64, 65, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    size_t at = draw((uint32_t)n / 4) * 4;
    uint32_t v;
    memcpy(&v, b + at, 4);
    v = draw(2) ? odd[draw(10)] : v + draw(5) - 2;
    memcpy(b + at, &v, 4);
}

static void damaged_parts_never_crash(void **state)
{
    unsigned opened = 0, refused = 0;
    (void)state;
    for (unsigned part = 0; part < FULL; part++) {
        uint8_t *copy = malloc(sizes[part]);
        for (unsigned i = 0; i < 4000; i++) {
            struct snapshot *s;
            memcpy(copy, bytes[part], sizes[part]);
            for (unsigned k = 0; k <= i % 3; k++)
                damage(copy, sizes[part]);
            if (open_bytes(part, span_of(copy, sizes[part]), &s) == RC_OK) {
                opened++;
                ask_everything(s);
                snapshot_put(s);
            } else {
                refused++;
            }
        }
        free(copy);
    }
    assert_true(refused > 1000 && opened > 100);
}

/* Every 32-bit word of the head and of the small sections, one at a time. */
static void every_word_of_the_head_counts(void **state)
{
    uint8_t *copy = malloc(sizes[0]);
    (void)state;
    for (size_t at = 0; at + 4 <= sizeof(struct img_head); at += 4) {
        struct snapshot *s = NULL;
        memcpy(copy, bytes[0], sizes[0]);
        memset(copy + at, 0xff, 4);
        assert_int_equal(open_bytes(0, span_of(copy, sizes[0]), &s), RC_BAD);
    }
    free(copy);
}

/* ---- counted ---- */

static void a_snapshot_lives_as_long_as_it_is_held(void **state)
{
    struct snapshot *s;
    (void)state;
    assert_int_equal(snapshot_open(whole.fds, whole.hash, &s), RC_OK);
    assert_memory_equal(snapshot_hash(s), whole.hash, SNAP_HASH);
    assert_int_equal(strlen(snapshot_short(s)), 12);
    char hex[3];
    snprintf(hex, sizeof hex, "%02x", whole.hash[5]);
    assert_string_equal(snapshot_short(s) + 10, hex);
    assert_ptr_equal(snapshot_get(s), s);
    snapshot_put(s);
    ask_everything(s);
    snapshot_put(s);
    snapshot_put(NULL);
}

/* ---- the fuzzer's seeds ---- */

static size_t put_many(char *out, size_t cap)
{
    static const char *const rules[] = {"block domain \"d%u.test\"\n",
                                        "block domain \"d%u.test\" during day\n",
                                        "allow domain \"d%u.test\" for g except category k\n",
                                        "warn category k domain \"d%u.test\" until 2027-01-01\n"};
    size_t n = (size_t)snprintf(out, cap,
                                "%sgroup g ldap \"cn=g,dc=test\"\nschedule day mon-fri 08:00-18:00\n"
                                "category k domain \"k.test\"\nweb {\n",
                                ZONES);
    for (unsigned i = 0; i < 600; i++)
        n += (size_t)snprintf(out + n, cap - n, rules[i % 4], i);
    return n + (size_t)snprintf(out + n, cap - n, "allow any\n}\n");
}

/* The policy part of `text` as the seed `name`, made anew with UPDATE_SEEDS=1; the seed there must open. */
static void check_seed(const char *name, const char *text)
{
    struct compiled c;
    struct stat st;
    struct image img;
    char path[200];
    static uint64_t part[1 << 16];
    compile_text(text, &c);
    assert_int_equal(c.rc, RC_OK);
    snprintf(path, sizeof path, "tests/fuzz/policy/image_corpus/%s", name);
    assert_int_equal(fstat(c.fds[PART_POLICY], &st), 0);
    assert_true(st.st_size > 0 && (size_t)st.st_size <= sizeof part);
    assert_int_equal(pread(c.fds[PART_POLICY], part, sizeof part, 0), st.st_size);
    compiled_close(&c);
    if (getenv("UPDATE_SEEDS")) {
        int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_int_equal(write(to, part, (size_t)st.st_size), st.st_size);
        close(to);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, part, sizeof part);
    assert_true(n > 0);
    close(fd);
    if (image_open(span_of(part, (size_t)n), &img) != RC_OK)
        fail_msg("%s is of another layout: UPDATE_SEEDS=1 makes the seeds anew", path);
}

static void seeds_of_the_fuzzer_are_of_this_layout(void **state)
{
    static char text[100000];
    char owned[] = "/tmp/perron-owned-XXXXXX", cwd[PATH_MAX];
    static const char inc[] =
        "web { allow category c domain \"x.c.test\"\n block upload\n warn any method GET }\n";
    int fd = mkstemp(owned);
    (void)state;
    assert_true(fd >= 0 && write(fd, inc, sizeof inc - 1) == sizeof inc - 1 && getcwd(cwd, sizeof cwd));
    close(fd);
    check_seed("nothing", "web { allow any }\n");
    snprintf(text, sizeof text, POLICY, cwd);
    check_seed("small", text);
    put_many(text, sizeof text);
    check_seed("many", text);
    snprintf(text, sizeof text,
             "%sgroup g user \"u\"\ncategory c domain \"c.test\"\ndelegate \"%s\" to \"D\" for g may grant "
             "category "
             "c\nweb { forbid domain \"bad.c.test\"\n block category c\n allow any }\n",
             ZONES, owned);
    check_seed("delegated", text);
    unlink(owned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_parts_are_refused),
        cmocka_unit_test(longer_parts_are_refused),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(parts_that_do_not_belong_together_are_refused),
        cmocka_unit_test(another_hash_is_refused),
        cmocka_unit_test(a_part_that_can_still_change_is_refused),
        cmocka_unit_test(seeds_of_the_fuzzer_are_of_this_layout),
        cmocka_unit_test(every_word_of_the_head_counts),
        cmocka_unit_test(damaged_parts_never_crash),
        cmocka_unit_test(a_snapshot_lives_as_long_as_it_is_held),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
