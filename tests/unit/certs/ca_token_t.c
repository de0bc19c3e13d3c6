/* Where the key in a token is: what is not understood is said with its line, what would weaken it is refused,
 * and the files that it names are looked at before anybody uses them. */
#include "certs/ca_token.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "gw/base/obj.h"

#define GOOD "uri pkcs11:token=perron;object=issuing?module-path=/usr/lib/m.so&pin-source=file:/etc/pin\n"

static void refused(const char *text, const char *says)
{
    struct ca_token t;
    struct buf err = {0};
    enum rc rc = ca_token_parse(span_str(text), "issuing.token", &t, &err);
    assert_int_equal(buf_put_u8(&err, 0), RC_OK);
    if (rc != RC_CONFIG || !strstr((const char *)err.p, says))
        fail_msg("'%s' gives %s '%s'", text, rc_name(rc), (const char *)err.p);
    buf_fini(&err);
}

static void what_is_not_understood_is_said_with_its_line(void **state)
{
    (void)state;
    refused("", "no line `uri pkcs11:...` in it");
    refused("# nothing\n\npath /x\n", "no line `uri pkcs11:...` in it");
    refused("key pkcs11:x\n", "issuing.token:1: a line begins with uri, path or env");
    refused(GOOD GOOD, "issuing.token:2: a second uri");
    refused("uri file:/x?module-path=/m&pin-source=/p\n", "uri takes an address pkcs11:");
    refused("uri pkcs11:token=a b?module-path=/m&pin-source=/p\n", "uri takes an address pkcs11:");
    refused("uri pkcs11:token=a\n", "module-path=/PATH is missing");
    refused("uri pkcs11:token=a?module-path=m.so&pin-source=/p\n", "module-path=/PATH is missing");
    refused("uri pkcs11:token=a?module-path=/m\n", "pin-source=file:/PATH is missing");
    refused("uri pkcs11:token=a?module-path=/m&pin-source=|/bin/sh\n", "pin-source=file:/PATH is missing");
    refused("uri pkcs11:token=a?module-path=/m&pin-source=file:/a%2fb\n", "pin-source=file:/PATH is missing");
    refused("uri pkcs11:token=a?module-name=m\n", "only module-path=/PATH and pin-source=file:/PATH");
    refused(GOOD "path relative\n", "issuing.token:2: path takes an absolute path");
    refused(GOOD "path /a\npath /b\npath /c\n",
            "issuing.token:4: path takes an absolute path, twice at most");
    refused(GOOD "env A\n", "env takes NAME=VALUE");
    refused(GOOD "env =x\n", "env takes NAME=VALUE");
    refused(GOOD "env A=1\nenv B=2\nenv C=3\n", "issuing.token:4: env takes");
}

static void what_would_weaken_it_is_refused(void **state)
{
    (void)state;
    refused("uri pkcs11:token=a?pin-value=1234&module-path=/m&pin-source=/p\n",
            "a PIN never stands in an address");
    refused("uri pkcs11:pin-value=1234;token=a?module-path=/m&pin-source=/p\n",
            "a PIN never stands in an address");
    refused("uri pkcs11:token=a;pin-value=1234?module-path=/m&pin-source=/p\n",
            "a PIN never stands in an address");
    refused(GOOD "env LD_PRELOAD=/x.so\n", "nothing for the dynamic linker");
}

static void a_good_one_survives_the_way_to_the_signer(void **state)
{
    struct ca_token t, back;
    struct buf err = {0}, wire = {0};
    (void)state;
    assert_int_equal(
        ca_token_parse(SPAN("# made by hand\n" GOOD "path /var/lib/tokens\nenv SOFTHSM2_CONF=/etc/s.conf\n"),
                       "x", &t, &err),
        RC_OK);
    assert_true(span_eq(t.uri, SPAN("pkcs11:token=perron;object=issuing")));
    assert_true(span_eq(t.module, SPAN("/usr/lib/m.so")));
    assert_true(span_eq(t.pin, SPAN("/etc/pin")));
    assert_int_equal(ca_token_put(&wire, &t), RC_OK);
    assert_int_equal(ca_token_get(buf_span(&wire), &back), RC_OK);
    assert_true(span_eq(back.uri, t.uri) && span_eq(back.module, t.module) && back.n_paths == 1);
    assert_true(back.n_envs == 1 && span_eq(back.envs[0], SPAN("SOFTHSM2_CONF=/etc/s.conf")));
    for (size_t n = 0; n < buf_len(&wire); n++)
        assert_int_equal(ca_token_get(span_cut(buf_span(&wire), 0, n), &back), RC_BAD);
    buf_fini(&wire);
    buf_fini(&err);
}

/* ---- the files */

struct files {
    char dir[64], module[96], pin[96];
    struct ca_token t;
    struct buf err;
};

static void make(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0 && write(fd, "4711\n", 5) == 5 && fchmod(fd, mode) == 0);
    close(fd);
}

static int setup(void **state)
{
    struct files *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/perron-token-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->module, sizeof f->module, "%s/m.so", f->dir);
    snprintf(f->pin, sizeof f->pin, "%s/pin", f->dir);
    make(f->module, 0644);
    make(f->pin, 0400);
    f->t = (struct ca_token){
        .uri = SPAN("pkcs11:token=a"), .module = span_str(f->module), .pin = span_str(f->pin)};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct files *f = *state;
    remove(f->module);
    remove(f->pin);
    remove(f->dir);
    buf_fini(&f->err);
    free(f);
    return 0;
}

static void open_says(struct files *f, const char *says)
{
    int fds[CA_TOKEN_FDS];
    buf_clear(&f->err);
    assert_int_equal(ca_token_open(&f->t, geteuid(), fds, &f->err), RC_CONFIG);
    assert_int_equal(fds[0], -1);
    assert_int_equal(buf_put_u8(&f->err, 0), RC_OK);
    if (!strstr((const char *)buf_span(&f->err).p, says))
        fail_msg("'%s' does not say '%s'", (const char *)buf_span(&f->err).p, says);
}

static void files_that_others_could_change_or_read_are_refused(void **state)
{
    struct files *f = *state;
    assert_int_equal(chmod(f->module, 0666), 0);
    open_says(f, "must be a file of root that nobody else can write");
    assert_int_equal(chmod(f->module, 0644), 0);
    assert_int_equal(chmod(f->pin, 0440), 0);
    open_says(f, "its mode is 0440, it must be 0400 or 0600");
    remove(f->pin);
    assert_int_equal(symlink("/etc/hostname", f->pin), 0);
    open_says(f, "a symbolic link");
    remove(f->pin);
    open_says(f, "No such file");
    make(f->pin, 0400);
    f->t.paths[f->t.n_paths++] = SPAN("/nonexistent/token");
    open_says(f, "/nonexistent/token: the token is not there");
}

static void good_files_are_opened(void **state)
{
    struct files *f = *state;
    int fds[CA_TOKEN_FDS];
    char pin[8];
    if (geteuid() != 0)
        skip(); /* the module has to be root's */
    f->t.paths[f->t.n_paths++] = span_str(f->dir);
    assert_int_equal(ca_token_open(&f->t, geteuid(), fds, &f->err), RC_OK);
    assert_int_equal(read(fds[0], pin, sizeof pin), 5);
    assert_true(fcntl(fds[1], F_GETFL) & O_PATH);
    assert_int_equal(fds[2], -1);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_understood_is_said_with_its_line),
        cmocka_unit_test(what_would_weaken_it_is_refused),
        cmocka_unit_test(a_good_one_survives_the_way_to_the_signer),
        cmocka_unit_test_setup_teardown(files_that_others_could_change_or_read_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(good_files_are_opened, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
