/* The register of leaves: what is no entry, where a chain is broken and where it only seems to be (a write
 * that was cut short), and which names an entry answers for. */
#include "certs/leaflog.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/certs/own_ca.h"

struct world {
    struct own_ca ca;
    struct leaflog log;
    char dir[64];
    unsigned made;
};

static const uint8_t ca_id[LEAFLOG_CA] = {1, 2, 3, 4, 5, 6, 7, 8};

static const char *file_path(const struct world *w, uint32_t number)
{
    static char path[128];
    char name[LEAFLOG_NAME];
    leaflog_file_name(number, name);
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    return path;
}

static int appending(const struct world *w, uint32_t number)
{
    int fd = open(file_path(w, number), O_WRONLY | O_APPEND | O_CREAT, 0600);
    assert_true(fd >= 0);
    return fd;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    bool torn;
    own_ca_open(&w->ca);
    snprintf(w->dir, sizeof w->dir, "/tmp/perron-leaflog-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(leaflog_resume(&w->log, -1, &torn), RC_OK);
    assert_false(torn);
    assert_int_equal(leaflog_target(&w->log, appending(w, 1), false), RC_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    leaflog_fini(&w->log);
    for (uint32_t i = 1; i < 5; i++)
        remove(file_path(w, i));
    remove(w->dir);
    own_ca_close(&w->ca);
    free(w);
    return 0;
}

static enum rc add(struct world *w, const struct mint_request *req)
{
    struct buf der = {0};
    struct leaflog_who who = {.now_s = NOW, .worker = 3, .ca = ca_id};
    own_ca_mint(&w->ca, req, &der);
    enum rc rc = leaflog_append(&w->log, req, buf_span(&der), &who);
    buf_fini(&der);
    return rc;
}

static void add_some(struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "host%u.example", w->made++);
        struct mint_request req = own_ca_ask(name);
        assert_int_equal(add(w, &req), RC_OK);
    }
}

static struct leaflog_walk walk(const struct world *w, enum rc want)
{
    struct leaflog_walk walk = {.dir = open(w->dir, O_RDONLY | O_DIRECTORY)};
    enum rc rc = leaflog_walk(&walk);
    close(walk.dir);
    if (rc != want)
        fail_msg("%s (%s)", rc_name(rc), walk.why ? walk.why : "");
    return walk;
}

/* A new signer, as after kill -9 or a power cut. */
static void start_again(struct world *w, uint32_t file, bool want_torn)
{
    bool torn;
    int fd = open(file_path(w, file), O_RDONLY);
    leaflog_fini(&w->log);
    assert_int_equal(leaflog_resume(&w->log, fd, &torn), RC_OK);
    close(fd);
    assert_int_equal(torn, want_torn);
    assert_int_equal(leaflog_target(&w->log, appending(w, file), torn), RC_OK);
}

static off_t size_of(const struct world *w)
{
    struct stat st;
    assert_int_equal(stat(file_path(w, 1), &st), 0);
    return st.st_size;
}

static void change_byte(const struct world *w, off_t at, char to)
{
    int fd = open(file_path(w, 1), O_WRONLY);
    assert_int_equal(pwrite(fd, &to, 1, at), 1);
    close(fd);
}

/* ---- what is no entry */

static void only_exactly_an_entry_is_one(void **state)
{
    struct leaflog_entry e = {.n = 12,
                              .time_s = NOW,
                              .not_before = NOW - DAY,
                              .not_after = NOW + DAY,
                              .serial_n = 16,
                              .worker = 2,
                              .n_names = 2,
                              .names = {SPAN("*.a.example"), SPAN("10.1.2.3")}};
    struct leaflog_entry back;
    struct buf line = {0};
    (void)state;
    assert_int_equal(leaflog_emit(&e, &line), RC_OK);
    assert_int_equal(leaflog_parse(buf_span(&line), &back), RC_OK);
    assert_int_equal(back.n, 12);
    assert_int_equal(back.time_s, NOW);
    assert_int_equal(back.n_names, 2);
    assert_true(span_eq(back.names[1], SPAN("10.1.2.3")));
    size_t n = buf_len(&line), accepted = 0;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(leaflog_parse(span_cut(buf_span(&line), 0, i), &back), RC_BAD);
    for (size_t i = 0; i < n; i++) {
        uint8_t was = line.p[i];
        line.p[i] = 'X'; /* never part of an entry */
        accepted += leaflog_parse(buf_span(&line), &back) == RC_OK;
        line.p[i] = was;
    }
    assert_int_equal(accepted, 0);
    assert_int_equal(buf_put_u8(&line, ' '), RC_OK);
    assert_int_equal(leaflog_parse(buf_span(&line), &back), RC_BAD);
    e.names[0] = SPAN("a\"b.example");
    assert_int_equal(leaflog_emit(&e, &line), RC_BAD);
    buf_fini(&line);
}

static void dates_that_do_not_exist_are_refused(void **state)
{
    struct leaflog_entry e = {.n = 1,
                              .time_s = NOW,
                              .serial_n = 1,
                              .n_names = 1,
                              .names = {SPAN("a.example")}},
                         back;
    struct buf line = {0};
    (void)state;
    assert_int_equal(leaflog_emit(&e, &line), RC_OK);
    assert_int_equal(leaflog_parse(buf_span(&line), &back), RC_OK);
    memcpy(line.p + strlen("{\"n\":1,\"time\":\""), "2026-02-30", 10);
    assert_int_equal(leaflog_parse(buf_span(&line), &back), RC_BAD);
    buf_fini(&line);
}

static void other_files_are_none_of_the_register(void **state)
{
    static const char *const bad[] = {
        "", "1.jsonl", "000000.jsonl", "000001.json", "00001x.jsonl", "000001.jsonl~"};
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        assert_false(leaflog_file_number(bad[i], &n));
    assert_true(leaflog_file_number("000042.jsonl", &n));
    assert_int_equal(n, 42);
}

/* ---- the chain */

static void without_files_there_is_no_register(void **state)
{
    struct world *w = *state;
    remove(file_path(w, 1));
    walk(w, RC_NOTFOUND);
}

static void every_changed_byte_is_found(void **state)
{
    struct world *w = *state;
    add_some(w, 4);
    assert_int_equal(walk(w, RC_OK).n_entries, 4);
    off_t third = size_of(w) / 4 * 2, n = size_of(w) / 4; /* the last has no one after it that would tell */
    unsigned found = 0;
    for (off_t at = 0; at < n; at += 7) { /* anywhere in the middle */
        char was;
        int fd = open(file_path(w, 1), O_RDONLY);
        assert_int_equal(pread(fd, &was, 1, third + at), 1);
        close(fd);
        change_byte(w, third + at, was == '0' ? '1' : '0');
        struct leaflog_walk k = walk(w, RC_BAD);
        found += k.file == 1 && k.line >= 2 && k.line <= 4 && k.why;
        change_byte(w, third + at, was);
    }
    assert_int_equal(found, (n + 6) / 7);
    walk(w, RC_OK);
}

static void a_line_that_is_taken_out_is_found(void **state)
{
    struct world *w = *state;
    char text[8192];
    add_some(w, 5);
    int fd = open(file_path(w, 1), O_RDWR);
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    char *second = strchr(text, '\n') + 1, *third = strchr(second, '\n') + 1;
    assert_int_equal(pwrite(fd, third, strlen(third), second - text), (ssize_t)strlen(third));
    assert_int_equal(ftruncate(fd, n - (third - second)), 0);
    close(fd);
    struct leaflog_walk k = walk(w, RC_BAD);
    assert_int_equal(k.line, 2);
    assert_string_equal(k.why, "this entry does not follow the one before it");
    assert_int_equal(k.n_entries, 1);
}

static void the_chain_goes_over_files_and_a_missing_one_is_found(void **state)
{
    struct world *w = *state;
    add_some(w, 2);
    assert_int_equal(leaflog_target(&w->log, appending(w, 2), false), RC_OK);
    add_some(w, 2);
    assert_int_equal(leaflog_target(&w->log, appending(w, 3), false), RC_OK);
    add_some(w, 2);
    struct leaflog_walk k = walk(w, RC_OK);
    assert_int_equal(k.n_entries, 6);
    assert_int_equal(k.first, 1);
    char away[160];
    snprintf(away, sizeof away, "%s/kept", w->dir);
    assert_int_equal(rename(file_path(w, 2), away), 0);
    k = walk(w, RC_BAD);
    assert_int_equal(k.file, 2);
    assert_string_equal(k.why, "this file is missing");
    remove(file_path(w, 1)); /* old ones may be taken away: the chain then begins later, and says so */
    assert_int_equal(rename(away, file_path(w, 2)), 0);
    k = walk(w, RC_OK);
    assert_int_equal(k.first, 3);
    assert_int_equal(k.n_entries, 4);
}

/* ---- power cuts and full disks */

static void a_signer_that_was_killed_goes_on_where_it_was(void **state)
{
    struct world *w = *state;
    add_some(w, 3);
    start_again(w, 1, false);
    assert_int_equal(w->log.n, 3);
    add_some(w, 1);
    assert_int_equal(walk(w, RC_OK).n_entries, 4);
}

static void a_line_cut_anywhere_breaks_nothing(void **state)
{
    struct world *w = *state;
    add_some(w, 2);
    off_t two = size_of(w);
    add_some(w, 1);
    off_t three = size_of(w);
    for (off_t cut = two + 1; cut < three; cut += 13) {
        assert_int_equal(truncate(file_path(w, 1), cut), 0);
        assert_int_equal(walk(w, RC_OK).n_torn, 1);
        start_again(w, 1, true);
        assert_int_equal(w->log.n, 2);
        start_again(w, 1, true); /* nothing was written yet */
        add_some(w, 1);
        struct leaflog_walk k = walk(w, RC_OK);
        assert_int_equal(k.n_entries, 3);
        assert_int_equal(k.n_torn, 1);
        start_again(w, 1, false);
        assert_int_equal(truncate(file_path(w, 1), two), 0);
        start_again(w, 1, false);
        add_some(w, 1);
    }
}

static void zeros_that_a_power_cut_left_are_a_line_cut_short(void **state)
{
    struct world *w = *state;
    add_some(w, 2);
    assert_int_equal(truncate(file_path(w, 1), size_of(w) + 300), 0);
    start_again(w, 1, true);
    add_some(w, 2);
    struct leaflog_walk k = walk(w, RC_OK);
    assert_int_equal(k.n_entries, 4);
    assert_int_equal(k.n_torn, 1);
}

/* A full disk takes the beginning of a line; once there is room its end comes first. */
static void the_end_of_a_line_follows_when_there_is_room(void **state)
{
    struct world *w = *state;
    struct mint_request req = own_ca_ask("late.example");
    add_some(w, 2);
    int pair[2], fd = w->log.fd;
    assert_int_equal(pipe2(pair, O_NONBLOCK), 0);
    w->log.fd = pair[1]; /* takes what fits */
    char fill[4096];
    memset(fill, 'x', sizeof fill);
    while (write(pair[1], fill, sizeof fill) > 0) {
    }
    assert_int_equal(read(pair[0], fill, 100), 100);
    assert_int_equal(add(w, &req), RC_IO);
    assert_true(buf_len(&w->log.rest) > 0);
    w->log.fd = fd;
    add_some(w, 1);
    struct leaflog_walk k = walk(w, RC_OK);
    assert_int_equal(k.n_entries, 4); /* one that nobody got: the register says more than was, never less */
    close(pair[0]);
    close(pair[1]);
}

/* ---- names */

static void an_entry_answers_for_its_names(void **state)
{
    struct leaflog_entry e = {.n_names = 3,
                              .names = {SPAN("www.bank.example"), SPAN("*.shop.example"), SPAN("10.1.2.3")}};
    static const char *const yes[] = {"www.bank.example", "*.bank.example", "*.example",
                                      "a.shop.example",   "*.shop.example", "10.1.2.3"};
    static const char *const no[] = {
        "bank.example", "shop.example", "a.b.shop.example", "*.www.bank.example",
        "10.1.2.4",     "ank.example",  "*.ank.example",    "www.bank.example.org"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(yes); i++) {
        if (!leaflog_names(&e, span_str(yes[i])))
            fail_msg("%s", yes[i]);
    }
    for (size_t i = 0; i < N_ELEMS(no); i++) {
        if (leaflog_names(&e, span_str(no[i])))
            fail_msg("%s", no[i]);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_exactly_an_entry_is_one),
        cmocka_unit_test(dates_that_do_not_exist_are_refused),
        cmocka_unit_test(other_files_are_none_of_the_register),
        TEST(without_files_there_is_no_register),
        TEST(every_changed_byte_is_found),
        TEST(a_line_that_is_taken_out_is_found),
        TEST(the_chain_goes_over_files_and_a_missing_one_is_found),
        TEST(a_signer_that_was_killed_goes_on_where_it_was),
        TEST(a_line_cut_anywhere_breaks_nothing),
        TEST(zeros_that_a_power_cut_left_are_a_line_cut_short),
        TEST(the_end_of_a_line_follows_when_there_is_room),
        cmocka_unit_test(an_entry_answers_for_its_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
