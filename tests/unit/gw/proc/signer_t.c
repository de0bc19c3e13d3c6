/* The signer against workers played by the test, captured ones first: nonsense costs a worker its own channel
 * and nothing else, limits hold across channels, and a wrong key ends the process with one line. */
#include "gw/proc/role.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "certs/leaflog.h"
#include "gw/base/log.h"
#include "tests/unit/certs/make_cert.h"
#include "gw/base/obj.h"

static unsigned readies;

/* In place of gw/proc/role.c: the test's own process must not be sandboxed. */
enum rc role_ready(struct role_ctx *ctx)
{
    (void)ctx;
    readies++;
    return RC_OK;
}

struct worker {
    struct peer *peer;
    unsigned answers, made, ended;
    uint64_t last_id;
    uint32_t last_rc;
    struct buf leaf;
};

struct world {
    char state[64];
    struct role_ctx ctx;
    struct buf cakey;
    EVP_PKEY *key;
    uint8_t point[65];
    struct worker w[3];
};

static void worker_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct worker *w = peer_data(p);
    struct rd r = rd_of(payload);
    (void)fds;
    assert_int_equal(n_fds, 0);
    assert_int_equal(t, MSG_MINTED);
    w->answers++;
    w->last_id = rd_u64(&r);
    w->last_rc = rd_u32(&r);
    w->made += w->last_rc == RC_OK;
    buf_clear(&w->leaf);
    assert_int_equal(buf_put(&w->leaf, rd_bytes(&r, rd_left(&r))), RC_OK);
}

static void worker_end(struct peer *p, enum rc rc)
{
    struct worker *w = peer_data(p);
    (void)rc;
    w->ended++;
    w->peer = NULL;
}

static void to_signer(struct world *w, enum msg_type t, span payload, int fd)
{
    int fds[1] = {fd};
    signer_ops.on_msg(&w->ctx, t, payload, fds, fd >= 0);
}

static const char *path_of(const struct world *w, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/ca/%s", w->state, name);
    return path;
}

static void connect_worker(struct world *w, uint32_t i)
{
    int fd[2];
    uint8_t number[4] = {0, 0, 0, (uint8_t)i};
    assert_int_equal(peer_pair(fd), RC_OK);
    peer_free(w->w[i].peer);
    assert_int_equal(
        peer_new(w->ctx.ev, fd[0], ROLE_WORKER, ROLE_SIGNER, worker_msg, worker_end, &w->w[i], &w->w[i].peer),
        RC_OK);
    to_signer(w, MSG_PEER, span_of(number, 4), fd[1]);
}

static void turns(struct world *w, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(ev_turn(w->ctx.ev, 0), RC_OK);
}

static void say(struct world *w, uint32_t i, enum msg_type t, span payload)
{
    assert_int_equal(peer_send(w->w[i].peer, t, payload, NULL, 0), RC_OK);
}

static void say_mint(struct world *w, uint32_t i, uint64_t id, const char *name)
{
    struct mint_request req = {.n_sans = 1, .sans = {{SAN_DNS, span_str(name)}}};
    struct buf b = {0};
    mint_dates(&req, INT64_MIN, INT64_MAX, NOW);
    assert_int_equal(buf_put_u64(&b, id), RC_OK);
    assert_int_equal(mint_encode(&b, &req), RC_OK);
    say(w, i, MSG_MINT, buf_span(&b));
    buf_fini(&b);
}

/* STATE/000001.jsonl, as the master gives it. */
static void give_register(struct world *w, bool first)
{
    char path[128];
    snprintf(path, sizeof path, "%s/000001.jsonl", w->state);
    int fds[2] = {open(path, O_WRONLY | O_APPEND | O_CREAT, 0600), first ? open(path, O_RDONLY) : -1};
    signer_ops.on_msg(&w->ctx, MSG_LEAFLOG, SPAN_NONE, fds, first ? 2 : 1);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct buf err = {0}, chain = {0};
    static const char url[] = "http://gw.test/perron.crl";
    int fd;
    size_t n;
    log_setup("signer", LOG_WARN);
    snprintf(w->state, sizeof w->state, "/tmp/perron-signer-XXXXXX");
    assert_non_null(mkdtemp(w->state));
    assert_int_equal(ca_init(w->state, SPAN("Tests"), geteuid(), NOW, &err), RC_OK);
    assert_int_equal(ca_open_files(w->state, geteuid(), NOW, &fd, &chain, &err), RC_OK);
    assert_int_equal(buf_put_u16(&w->cakey, sizeof url - 1), RC_OK);
    assert_int_equal(buf_put_str(&w->cakey, url), RC_OK);
    assert_int_equal(buf_put(&w->cakey, buf_span(&chain)), RC_OK);
    assert_int_equal(ev_new(&w->ctx.ev), RC_OK);
    w->ctx.role = ROLE_SIGNER;
    assert_int_equal(signer_ops.start(&w->ctx), RC_OK);
    give_register(w, true);
    to_signer(w, MSG_CAKEY, buf_span(&w->cakey), -1);
    readies = 0;
    to_signer(w, MSG_CAKEY_FD, SPAN_NONE, fd);
    assert_int_equal(readies, 1);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed as soon as it was read */
    w->key = EVP_EC_gen("P-256");
    EVP_PKEY_get_octet_string_param(w->key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, w->point, 65, &n);
    connect_worker(w, 1);
    connect_worker(w, 2);
    buf_fini(&err);
    buf_fini(&chain);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"root.crt",    "root.key",        "issuing.crt",
                                        "issuing.key", "../000001.jsonl", ""};
    signer_ops.on_stop(&w->ctx, 0);
    for (size_t i = 0; i < N_ELEMS(w->w); i++) {
        peer_free(w->w[i].peer);
        buf_fini(&w->w[i].leaf);
    }
    ev_free(w->ctx.ev);
    for (size_t i = 0; i < N_ELEMS(names); i++)
        remove(path_of(w, names[i]));
    remove(w->state);
    buf_fini(&w->cakey);
    EVP_PKEY_free(w->key);
    free(w);
    return 0;
}

static void register_key(struct world *w, uint32_t i)
{
    say(w, i, MSG_LEAFKEY, span_of(w->point, 65));
    turns(w, 2);
}

static void still_serves(struct world *w, uint32_t i)
{
    unsigned before = w->w[i].made;
    say_mint(w, i, 900, "www.site.test");
    turns(w, 3);
    assert_int_equal(w->w[i].made, before + 1);
}

static void a_request_before_the_leaf_key_closes_that_channel_only(void **state)
{
    struct world *w = *state;
    register_key(w, 2);
    say_mint(w, 1, 1, "www.site.test");
    turns(w, 3);
    assert_int_equal(w->w[1].answers, 0);
    assert_int_equal(w->w[1].ended, 1);
    still_serves(w, 2);
}

static void a_leaf_key_that_is_none_closes_the_channel(void **state)
{
    struct world *w = *state;
    uint8_t bad[65];
    memcpy(bad, w->point, 65);
    bad[40] ^= 1;
    register_key(w, 2);
    say(w, 1, MSG_LEAFKEY, span_of(bad, 65));
    turns(w, 3);
    assert_int_equal(w->w[1].ended, 1);
    connect_worker(w, 1);
    say(w, 1, MSG_LEAFKEY, span_of(w->point, 64));
    turns(w, 3);
    assert_int_equal(w->w[1].ended, 2);
    still_serves(w, 2);
}

static void a_second_leaf_key_closes_the_channel(void **state)
{
    struct world *w = *state;
    register_key(w, 1);
    register_key(w, 1);
    turns(w, 3);
    assert_int_equal(w->w[1].ended, 1);
}

static void requests_that_do_not_parse_close_that_channel_only(void **state)
{
    struct world *w = *state;
    static const char nonsense[] = "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\xff";
    const span bad[] = {SPAN_NONE, SPAN("x"), span_of(nonsense, sizeof nonsense - 1), span_of(nonsense, 20)};
    register_key(w, 2);
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        connect_worker(w, 1);
        register_key(w, 1);
        say(w, 1, MSG_MINT, bad[i]);
        turns(w, 3);
        assert_int_equal(w->w[1].ended, i + 1);
    }
    assert_int_equal(w->w[1].answers, 0);
    still_serves(w, 2);
}

static void messages_that_are_not_a_workers_close_the_channel(void **state)
{
    struct world *w = *state;
    int fd[2];
    uint8_t number[4] = {0, 0, 0, 0}, packet[64] = {0, MSG_CRL_REQ};
    assert_int_equal(peer_pair(fd), RC_OK);
    to_signer(w, MSG_PEER, span_of(number, 4), fd[1]);
    assert_int_equal(send(fd[0], packet, 2, 0), 2); /* what only the master may ask */
    turns(w, 3);
    assert_int_equal(recv(fd[0], packet, sizeof packet, 0), 0);
    close(fd[0]);
}

static void names_on_the_never_list_are_denied_and_the_channel_stays(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {"localhost", "*.com", "com", "x.onion"};
    register_key(w, 1);
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        say_mint(w, 1, 10 + i, bad[i]);
        turns(w, 3);
        assert_int_equal(w->w[1].last_id, 10 + i);
        assert_int_equal(w->w[1].last_rc, RC_DENIED);
        assert_int_equal(buf_len(&w->w[1].leaf), 0);
    }
    still_serves(w, 1);
}

static void the_rate_holds_for_each_worker_and_across_its_channels(void **state)
{
    struct world *w = *state;
    register_key(w, 1);
    register_key(w, 2);
    for (unsigned i = 0; i < LIM_MINT_BURST + LIM_MINT_RATE * 20u && w->w[1].last_rc != RC_LIMIT; i++) {
        say_mint(w, 1, i, "www.site.test");
        if (i % 32 == 31)
            turns(w, 3);
    }
    turns(w, 3);
    assert_int_equal(w->w[1].last_rc, RC_LIMIT);
    assert_true(w->w[1].made >= LIM_MINT_BURST && w->w[1].made < LIM_MINT_BURST + LIM_MINT_RATE * 20u);
    connect_worker(w, 1);
    register_key(w, 1);
    unsigned made = w->w[1].made, answers = w->w[1].answers;
    for (unsigned i = 0; i < 200; i++)
        say_mint(w, 1, i, "www.site.test");
    turns(w, 10);
    assert_int_equal(w->w[1].answers, answers + 200);
    assert_true(w->w[1].made < made + 150);
    still_serves(w, 2);
}

static void a_channel_for_an_impossible_worker_is_closed(void **state)
{
    struct world *w = *state;
    const span bad[] = {SPAN_NONE, SPAN("\0\0"), SPAN("\0\0\0\x40"), SPAN("\xff\xff\xff\xff")};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        int fd[2];
        char c;
        assert_int_equal(peer_pair(fd), RC_OK);
        to_signer(w, MSG_PEER, bad[i], fd[1]);
        assert_int_equal(recv(fd[0], &c, 1, MSG_DONTWAIT), 0);
        close(fd[0]);
    }
    to_signer(w, MSG_PEER, SPAN("\0\0\0\0"), -1);
    to_signer(w, MSG_CRL_REQ, SPAN_NONE, -1); /* without a master: nothing happens */
}

static void a_leaf_is_for_the_key_of_its_own_worker(void **state)
{
    struct world *w = *state;
    register_key(w, 1);
    say_mint(w, 1, 42, "www.site.test");
    turns(w, 3);
    assert_int_equal(w->w[1].last_id, 42);
    const uint8_t *p = w->w[1].leaf.p;
    X509 *x = d2i_X509(NULL, &p, (long)buf_len(&w->w[1].leaf));
    assert_non_null(x);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), w->key), 1);
    assert_int_equal(X509_check_host(x, "www.site.test", 0, 0, NULL), 1);
    X509_free(x);
}

struct found {
    struct leaflog_entry e;
    char name[256];
};

static enum rc keep(const struct leaflog_entry *e, span line, void *arg)
{
    struct found *f = arg;
    (void)line;
    f->e = *e;
    assert_true(e->n_names == 1 && e->names[0].n < sizeof f->name);
    memcpy(f->name, e->names[0].p, e->names[0].n);
    f->name[e->names[0].n] = '\0';
    return RC_OK;
}

/* How many entries there are, every link looked at; the last in *f. */
static uint64_t entries(struct world *w, struct found *f)
{
    struct leaflog_walk walk = {.dir = open(w->state, O_RDONLY | O_DIRECTORY), .each = keep, .arg = f};
    assert_int_equal(leaflog_walk(&walk), RC_OK);
    close(walk.dir);
    return walk.n_entries;
}

static void every_leaf_is_in_the_register_before_it_is_given_out(void **state)
{
    struct world *w = *state;
    struct found f;
    uint8_t hash[SHA256_BYTES];
    register_key(w, 1);
    register_key(w, 2);
    say_mint(w, 1, 1, "www.site.test");
    say_mint(w, 2, 2, "localhost"); /* refused: no entry */
    turns(w, 3);
    assert_int_equal(w->w[1].made, 1);
    assert_int_equal(entries(w, &f), 1);
    assert_string_equal(f.name, "www.site.test");
    assert_int_equal(f.e.worker, 1);
    span der = buf_span(&w->w[1].leaf);
    assert_int_equal(sha256(&der, 1, hash), RC_OK);
    assert_memory_equal(f.e.sha256, hash, sizeof hash);
    const uint8_t *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    assert_int_equal(f.e.serial_n, ASN1_STRING_length(serial));
    assert_memory_equal(f.e.serial, ASN1_STRING_get0_data(serial), f.e.serial_n);
    struct rd cakey = rd_of(buf_span(&w->cakey));
    rd_vec16(&cakey); /* CRL pointer */
    span issuing = rd_vec16(&cakey);
    assert_int_equal(sha256(&issuing, 1, hash), RC_OK);
    assert_memory_equal(f.e.ca, hash, LEAFLOG_CA);
    say_mint(w, 2, 3, "two.site.test");
    turns(w, 3);
    assert_int_equal(entries(w, &f), 2);
    assert_string_equal(f.name, "two.site.test");
    X509_free(x);
}

static void another_signer_goes_on_with_the_chain(void **state)
{
    struct world *w = *state;
    struct found f;
    register_key(w, 1);
    still_serves(w, 1);
    signer_ops.on_stop(&w->ctx, 0);
    peer_free(w->w[1].peer);
    w->w[1].peer = NULL;
    assert_int_equal(signer_ops.start(&w->ctx), RC_OK);
    give_register(w, true);
    to_signer(w, MSG_CAKEY, buf_span(&w->cakey), -1);
    to_signer(w, MSG_CAKEY_FD, SPAN_NONE, open(path_of(w, "issuing.key"), O_RDONLY));
    connect_worker(w, 1);
    register_key(w, 1);
    still_serves(w, 1);
    give_register(w, false); /* a later file */
    still_serves(w, 1);
    assert_int_equal(entries(w, &f), 3);
    assert_int_equal(f.e.n, 3);
}

/* /dev/full is a disk without room. */
static void without_the_register_no_leaf_is_given_out(void **state)
{
    struct world *w = *state;
    struct found f;
    register_key(w, 1);
    still_serves(w, 1);
    int full = open("/dev/full", O_WRONLY);
    signer_ops.on_msg(&w->ctx, MSG_LEAFLOG, SPAN_NONE, &full, 1);
    say_mint(w, 1, 5, "www.site.test");
    turns(w, 3);
    assert_int_equal(w->w[1].last_id, 5);
    assert_int_equal(w->w[1].last_rc, RC_IO);
    assert_int_equal(buf_len(&w->w[1].leaf), 0);
    assert_int_equal(entries(w, &f), 1);
}

struct told {
    unsigned times;
    uint64_t made, put_off, refused;
    uint32_t log_errno;
};

static void master_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct told *m = peer_data(p);
    struct rd r = rd_of(payload);
    (void)fds, (void)n_fds;
    assert_int_equal(t, MSG_SIGNER_STATE);
    m->times++;
    m->made = rd_u64(&r);
    m->put_off = rd_u64(&r);
    m->refused = rd_u64(&r);
    m->log_errno = rd_u32(&r);
    assert_int_equal(rd_left(&r), 0);
}

static void no_end(struct peer *p, enum rc rc)
{
    (void)p, (void)rc;
}

/* threats.md row 103: a captured worker that mints without end is seen, whatever it says itself. */
static void the_master_hears_how_much_was_made_put_off_and_refused(void **state)
{
    struct world *w = *state;
    struct told m = {0};
    struct peer *master;
    int fd[2];
    assert_int_equal(peer_pair(fd), RC_OK);
    assert_int_equal(peer_new(w->ctx.ev, fd[0], ROLE_MASTER, ROLE_SIGNER, master_msg, no_end, &m, &master),
                     RC_OK);
    assert_int_equal(
        peer_new(w->ctx.ev, fd[1], ROLE_SIGNER, ROLE_MASTER, master_msg, no_end, &m, &w->ctx.master), RC_OK);
    register_key(w, 1);
    for (unsigned i = 0; i < LIM_MINT_BURST + LIM_MINT_RATE * 20u && w->w[1].last_rc != RC_LIMIT; i++) {
        say_mint(w, 1, i, "www.site.test");
        if (i % 32 == 31)
            turns(w, 3);
    }
    connect_worker(w, 2);
    register_key(w, 2);
    say_mint(w, 2, 7, "localhost");
    turns(w, 3);
    int64_t until = ev_now_ms(w->ctx.ev) + 2000;
    while (m.refused == 0 && ev_now_ms(w->ctx.ev) < until)
        assert_int_equal(ev_turn(w->ctx.ev, 20), RC_OK);
    assert_true(m.made >= LIM_MINT_BURST);
    assert_true(m.put_off >= 1);
    assert_int_equal(m.refused, 1);
    assert_int_equal(m.log_errno, 0);
    assert_true(m.times < 20); /* not once for each */
    peer_free(w->ctx.master);
    w->ctx.master = NULL;
    peer_free(master);
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Both ends of the channel, signature, entry and its line in the log (here: not written). */
static void a_leaf_and_its_entry_take_well_under_a_millisecond(void **state)
{
    struct world *w = *state;
    enum { LEAVES = 1000 };
    register_key(w, 1);
    double from = cpu_us();
    for (unsigned i = 0; i < LEAVES; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%u.site.test", i);
        say_mint(w, 1, i, name);
        turns(w, 2);
    }
    turns(w, 3);
    double each = (cpu_us() - from) / LEAVES;
    print_message("a leaf through the channel, with its entry: %.1f us\n", each);
    assert_int_equal(w->w[1].made, LEAVES);
    assert_true(each < 1000);
}

/* In a child, since it ends the process: the exit status, and the one line it says. */
static void ends_with(struct world *w, span cakey, const char *key_file, const char *says)
{
    int out[2], status;
    char line[1024] = "";
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct role_ctx ctx = {.role = ROLE_SIGNER, .ev = w->ctx.ev};
        int fd = key_file ? open(key_file, O_RDONLY) : -1;
        dup2(out[1], STDERR_FILENO);
        log_setup("signer", LOG_WARN);
        if (signer_ops.start(&ctx) != RC_OK)
            _exit(3);
        signer_ops.on_msg(&ctx, MSG_CAKEY, cakey, NULL, 0);
        signer_ops.on_msg(&ctx, MSG_CAKEY_FD, SPAN_NONE, &fd, fd >= 0);
        _exit(0);
    }
    close(out[1]);
    ssize_t n = read(out[0], line, sizeof line - 1);
    close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    if (n <= 0 || !strstr(line, says) || strchr(line, '\n') != line + n - 1)
        fail_msg("'%s' does not say '%s' in one line", line, says);
}

static void a_wrong_key_ends_the_process_with_one_line(void **state)
{
    struct world *w = *state;
    ends_with(w, buf_span(&w->cakey), path_of(w, "root.key"), "does not belong to its certificate");
    ends_with(w, buf_span(&w->cakey), path_of(w, "root.crt"), "no readable private key");
    ends_with(w, buf_span(&w->cakey), NULL, "malformed");
    ends_with(w, SPAN("\0\0"), path_of(w, "issuing.key"), "malformed");
    ends_with(w, SPAN("\0\0\0\5hello"), path_of(w, "issuing.key"), "does not parse");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_before_the_leaf_key_closes_that_channel_only),
        TEST(a_leaf_key_that_is_none_closes_the_channel),
        TEST(a_second_leaf_key_closes_the_channel),
        TEST(requests_that_do_not_parse_close_that_channel_only),
        TEST(messages_that_are_not_a_workers_close_the_channel),
        TEST(names_on_the_never_list_are_denied_and_the_channel_stays),
        TEST(the_rate_holds_for_each_worker_and_across_its_channels),
        TEST(a_channel_for_an_impossible_worker_is_closed),
        TEST(a_leaf_is_for_the_key_of_its_own_worker),
        TEST(every_leaf_is_in_the_register_before_it_is_given_out),
        TEST(another_signer_goes_on_with_the_chain),
        TEST(without_the_register_no_leaf_is_given_out),
        TEST(the_master_hears_how_much_was_made_put_off_and_refused),
        TEST(a_leaf_and_its_entry_take_well_under_a_millisecond),
        TEST(a_wrong_key_ends_the_process_with_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
