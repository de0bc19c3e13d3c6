/* The CA on disk: every way in which its files can be wrong is refused with one clear line, and what init
 * makes is right. */
#include "certs/ca.h"

#include <fcntl.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/certs/make_cert.h"
#include "certs/untrusted.h"
#include "gw/base/obj.h"

struct dir {
    char state[64];
    struct buf err, chain, text;
};

static int setup(void **state)
{
    struct dir *d = calloc(1, sizeof *d);
    snprintf(d->state, sizeof d->state, "/tmp/perron-ca-XXXXXX");
    assert_non_null(mkdtemp(d->state));
    *state = d;
    return 0;
}

static const char *path_of(const struct dir *d, const char *name)
{
    static char path[2][256];
    static unsigned turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", d->state, name);
    return path[turn];
}

static int teardown(void **state)
{
    struct dir *d = *state;
    static const char *const names[] = {"ca/root.crt",
                                        "ca/root.key",
                                        "ca/issuing.crt",
                                        "ca/issuing.key",
                                        "ca/second",
                                        "ca",
                                        "ca.new/root.key",
                                        "ca.new",
                                        "out",
                                        "key",
                                        "other/ca/root.crt",
                                        "other/ca/root.key",
                                        "other/ca/issuing.crt",
                                        "other/ca/issuing.key",
                                        "other/ca",
                                        "other",
                                        ""};
    for (size_t i = 0; i < N_ELEMS(names); i++)
        remove(path_of(d, names[i]));
    buf_fini(&d->err);
    buf_fini(&d->chain);
    buf_fini(&d->text);
    free(d);
    return 0;
}

static void make_ca(struct dir *d)
{
    if (ca_init(d->state, SPAN("Province of Tests"), geteuid(), NOW, &d->err) != RC_OK)
        fail_msg("%.*s", (int)d->err.w, d->err.p);
}

static enum rc open_at(struct dir *d, int64_t now_s)
{
    int fd = -1;
    enum rc rc = ca_open_files(d->state, geteuid(), now_s, &fd, &d->chain, &d->err);
    assert_int_equal(rc == RC_OK, fd >= 0);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Refused with one line that holds `says`. */
static void refused(struct dir *d, int64_t now_s, const char *says)
{
    assert_int_equal(open_at(d, now_s), RC_CONFIG);
    assert_int_equal(buf_put_u8(&d->err, 0), RC_OK);
    const char *line = (const char *)buf_span(&d->err).p;
    if (!strstr(line, says) || strchr(line, '\n'))
        fail_msg("'%s' does not say '%s' in one line", line, says);
}

static void without_a_ca_the_line_names_ca_init(void **state)
{
    refused(*state, NOW, "perronctl ca init");
}

static void a_missing_key_is_named(void **state)
{
    struct dir *d = *state;
    make_ca(d);
    unlink(path_of(d, "ca/issuing.key"));
    refused(d, NOW, "issuing.key: the CA key is missing");
}

static void a_key_that_others_can_read_is_refused(void **state)
{
    struct dir *d = *state;
    static const mode_t modes[] = {0644, 0440, 0404, 0401, 0410};
    make_ca(d);
    for (size_t i = 0; i < N_ELEMS(modes); i++) {
        chmod(path_of(d, "ca/issuing.key"), modes[i]);
        refused(d, NOW, "others can read it");
    }
    chmod(path_of(d, "ca/issuing.key"), 0600);
    refused(d, NOW, "must be 0400");
    chmod(path_of(d, "ca/issuing.key"), 0400);
    assert_int_equal(open_at(d, NOW), RC_OK);
}

static void a_key_of_another_owner_is_refused(void **state)
{
    struct dir *d = *state;
    int fd;
    make_ca(d);
    assert_int_equal(ca_open_files(d->state, geteuid() + 1, NOW, &fd, &d->chain, &d->err), RC_CONFIG);
    assert_non_null(memmem(d->err.p, d->err.w, "the signer's uid", 16));
}

static void a_directory_with_other_permissions_is_refused(void **state)
{
    struct dir *d = *state;
    make_ca(d);
    chmod(path_of(d, "ca"), 0750);
    refused(d, NOW, "must be 0700");
    chmod(path_of(d, "ca"), 0700);
    if (geteuid() == 0) {
        assert_int_equal(chown(path_of(d, "ca"), 12345, (gid_t)-1), 0);
        refused(d, NOW, "it must belong to uid 0");
        assert_int_equal(chown(path_of(d, "ca"), 0, (gid_t)-1), 0);
    }
    assert_int_equal(open_at(d, NOW), RC_OK);
}

static void links_and_other_kinds_of_files_are_refused(void **state)
{
    struct dir *d = *state;
    make_ca(d);
    assert_int_equal(link(path_of(d, "ca/issuing.key"), path_of(d, "ca/second")), 0);
    refused(d, NOW, "second name");
    unlink(path_of(d, "ca/second"));
    rename(path_of(d, "ca/issuing.key"), path_of(d, "key"));
    assert_int_equal(symlink(path_of(d, "key"), path_of(d, "ca/issuing.key")), 0);
    refused(d, NOW, "symbolic link");
    unlink(path_of(d, "ca/issuing.key"));
    assert_int_equal(mkfifo(path_of(d, "ca/issuing.key"), 0400), 0);
    refused(d, NOW, "not a regular file");
    unlink(path_of(d, "ca/issuing.key"));
    close(open(path_of(d, "ca/issuing.key"), O_CREAT | O_WRONLY, 0400));
    refused(d, NOW, "0 bytes are not a private key");
}

static void expired_and_future_certificates_are_refused(void **state)
{
    struct dir *d = *state;
    make_ca(d);
    refused(d, NOW + 1826 * DAY, "issuing.crt: expired on 2031-");
    refused(d, NOW - 2 * DAY, "is this machine's clock right?");
    assert_int_equal(open_at(d, NOW + 1824 * DAY), RC_OK);
}

static void write_pem(struct dir *d, const char *name, X509 *x)
{
    BIO *b = BIO_new_file(path_of(d, name), "w");
    assert_non_null(b);
    PEM_write_bio_X509(b, x);
    BIO_free(b);
}

static void replace_ca(struct dir *d, const struct mk *root, const struct mk *issuing)
{
    struct made r = mk_cert(root, NULL), i = mk_cert(issuing, &r);
    unlink(path_of(d, "ca/root.crt"));
    unlink(path_of(d, "ca/issuing.crt"));
    write_pem(d, "ca/root.crt", r.cert);
    write_pem(d, "ca/issuing.crt", i.cert);
    mk_free(&r);
    mk_free(&i);
}

static void certificates_that_are_no_ca_are_refused(void **state)
{
    struct dir *d = *state;
    const struct mk root = {.cn = "R", .exts = ROOT_EXTS}, issuing = {.cn = "I", .exts = CA_EXTS};
    struct mk bad;
    make_ca(d);
    replace_ca(d, &root, &issuing);
    assert_int_equal(open_at(d, NOW), RC_OK);
    bad = (struct mk){.cn = "I", .exts = LEAF_EXTS("DNS:a.test")};
    replace_ca(d, &root, &bad);
    refused(d, NOW, "issuing.crt: it is not a CA certificate");
    bad = (struct mk){.cn = "I",
                      .exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,cRLSign",
                               "subjectKeyIdentifier=hash"}};
    replace_ca(d, &root, &bad);
    refused(d, NOW, "issuing.crt: its key usage does not include keyCertSign");
    bad = (struct mk){.cn = "I",
                      .exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"}};
    replace_ca(d, &root, &bad);
    refused(d, NOW, "issuing.crt: it has no usable subject key identifier");
    bad = (struct mk){.cn = "R",
                      .exts = {"basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign",
                               "subjectKeyIdentifier=hash"}};
    replace_ca(d, &bad, &issuing);
    refused(d, NOW, "root.crt: its path length");
    bad = (struct mk){.cn = "I", .exts = CA_EXTS, .breaks_signature = true};
    replace_ca(d, &root, &bad);
    refused(d, NOW, "not signed by");
    bad = (struct mk){.cn = "I", .exts = CA_EXTS, .from = -90 * DAY, .to = -DAY};
    replace_ca(d, &root, &bad);
    refused(d, NOW, "issuing.crt: expired");
    bad = (struct mk){.cn = "R", .exts = ROOT_EXTS, .from = -90 * DAY, .to = -DAY};
    replace_ca(d, &bad, &issuing);
    refused(d, NOW, "root.crt: expired");
}

static void unreadable_certificates_are_refused(void **state)
{
    struct dir *d = *state;
    make_ca(d);
    unlink(path_of(d, "ca/root.crt"));
    refused(d, NOW, "root.crt: not there");
    close(open(path_of(d, "ca/root.crt"), O_CREAT | O_WRONLY, 0444));
    refused(d, NOW, "root.crt: no readable certificate");
}

/* ---- loading, as the signer does */

static enum rc load(struct dir *d, const char *key_path, span url)
{
    struct ca *ca = NULL;
    buf_clear(&d->err);
    AUTO_CLOSE int fd = open(key_path, O_RDONLY);
    enum rc rc = ca_load_key(fd, buf_span(&d->chain), url, &ca, &d->err);
    assert_int_equal(rc == RC_OK, ca != NULL);
    ca_free(ca);
    return rc;
}

static void a_key_that_does_not_match_its_certificate_is_refused(void **state)
{
    struct dir *d = *state;
    make_ca(d);
    assert_int_equal(open_at(d, NOW), RC_OK);
    assert_int_equal(load(d, path_of(d, "ca/issuing.key"), SPAN("http://gw.test/crl")), RC_OK);
    assert_int_equal(load(d, path_of(d, "ca/root.key"), SPAN_NONE), RC_CONFIG);
    assert_non_null(memmem(d->err.p, d->err.w, "does not belong to its certificate", 34));
    assert_int_equal(load(d, path_of(d, "ca/root.crt"), SPAN_NONE), RC_CONFIG);
    assert_non_null(memmem(d->err.p, d->err.w, "no readable private key", 23));
    assert_int_equal(load(d, "/dev/null", SPAN_NONE), RC_CONFIG);
    assert_int_equal(load(d, path_of(d, "ca/issuing.key"), SPAN("https://gw.test/crl")), RC_CONFIG);
    assert_int_equal(load(d, path_of(d, "ca/issuing.key"), SPAN("http://gw.test/\n")), RC_CONFIG);
    buf_clear(&d->chain);
    assert_int_equal(load(d, path_of(d, "ca/issuing.key"), SPAN_NONE), RC_CONFIG);
    assert_int_equal(buf_put(&d->chain, SPAN("\x00\x05hello")), RC_OK);
    assert_int_equal(load(d, path_of(d, "ca/issuing.key"), SPAN_NONE), RC_CONFIG);
}

static void a_key_with_a_passphrase_is_refused_without_asking(void **state)
{
    struct dir *d = *state;
    make_ca(d);
    assert_int_equal(open_at(d, NOW), RC_OK);
    EVP_PKEY *k = EVP_EC_gen("P-256");
    BIO *b = BIO_new_file(path_of(d, "key"), "w");
    PEM_write_bio_PKCS8PrivateKey(b, k, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
    BIO_free(b);
    EVP_PKEY_free(k);
    assert_int_equal(load(d, path_of(d, "key"), SPAN_NONE), RC_CONFIG);
}

/* ---- init */

static void init_makes_exactly_these_files(void **state)
{
    struct dir *d = *state;
    static const struct {
        const char *name;
        mode_t mode;
    } want[] = {{"ca", S_IFDIR | 0700},
                {"ca/root.crt", S_IFREG | 0444},
                {"ca/root.key", S_IFREG | 0400},
                {"ca/issuing.crt", S_IFREG | 0444},
                {"ca/issuing.key", S_IFREG | 0400}};
    umask(0);
    make_ca(d);
    umask(022);
    for (size_t i = 0; i < N_ELEMS(want); i++) {
        struct stat st;
        assert_int_equal(lstat(path_of(d, want[i].name), &st), 0);
        assert_int_equal(st.st_mode, want[i].mode);
    }
    assert_int_equal(access(path_of(d, "ca.new"), F_OK), -1);
    if (geteuid() == 0) {
        struct stat st;
        mkdir(path_of(d, "other"), 0700);
        assert_int_equal(ca_init(path_of(d, "other"), SPAN("X"), 64801, NOW, &d->err), RC_OK);
        lstat(path_of(d, "other/ca/issuing.key"), &st);
        assert_int_equal(st.st_uid, 64801);
        lstat(path_of(d, "other/ca/root.key"), &st);
        assert_int_equal(st.st_uid, 0);
    }
}

static void init_never_overwrites_a_ca(void **state)
{
    struct dir *d = *state;
    make_ca(d);
    assert_int_equal(ca_init(d->state, SPAN("Again"), geteuid(), NOW, &d->err), RC_CONFIG);
    assert_non_null(memmem(d->err.p, d->err.w, "already", 7));
    assert_int_equal(open_at(d, NOW), RC_OK);
}

static void init_gets_over_a_half_made_one(void **state)
{
    struct dir *d = *state;
    mkdir(path_of(d, "ca.new"), 0755);
    close(open(path_of(d, "ca.new/root.key"), O_CREAT | O_WRONLY, 0644));
    make_ca(d);
    assert_int_equal(open_at(d, NOW), RC_OK);
}

static void init_refuses_bad_names(void **state)
{
    struct dir *d = *state;
    char long_name[66];
    memset(long_name, 'a', sizeof long_name);
    span bad[] = {SPAN_NONE, SPAN("a\nb"), SPAN("\xff\xfe"), span_of(long_name, 65)};
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        assert_int_equal(ca_init(d->state, bad[i], geteuid(), NOW, &d->err), RC_CONFIG);
    span ex[] = {SPAN("good.test"), SPAN("bad,DNS:name")};
    struct ca_plan plan = {SPAN("X"), geteuid(), NOW, ex, 2};
    assert_int_equal(ca_init_plan(d->state, &plan, &d->err), RC_CONFIG);
    assert_non_null(memmem(d->err.p, d->err.w, "number 2", 8));
    assert_int_equal(access(path_of(d, "ca"), F_OK), -1);
    assert_int_equal(ca_init("/nonexistent/dir", SPAN("X"), geteuid(), NOW, &d->err), RC_CONFIG);
}

/* threats.md row 133. */
static void two_installations_share_nothing(void **state)
{
    struct dir *d = *state;
    struct buf first = {0};
    make_ca(d);
    mkdir(path_of(d, "other"), 0700);
    assert_int_equal(ca_init(path_of(d, "other"), SPAN("Province of Tests"), geteuid(), NOW, &d->err), RC_OK);
    assert_int_equal(ca_show(d->state, NOW, true, &first, &d->err), RC_OK);
    assert_int_equal(ca_show(path_of(d, "other"), NOW, true, &d->text, &d->err), RC_OK);
    json_t *a = json_loadb((const char *)first.p, first.w, 0, NULL);
    json_t *b = json_loadb((const char *)d->text.p, d->text.w, 0, NULL);
    static const char *const fields[] = {"subject", "serial", "sha256"};
    for (size_t i = 0; i < N_ELEMS(fields); i++)
        assert_string_not_equal(json_string_value(json_object_get(json_object_get(a, "root"), fields[i])),
                                json_string_value(json_object_get(json_object_get(b, "root"), fields[i])));
    json_decref(a);
    json_decref(b);
    buf_fini(&first);
}

/* ---- show and export */

static void show_tells_what_a_client_shows(void **state)
{
    struct dir *d = *state;
    assert_int_equal(ca_show(d->state, NOW, false, &d->text, &d->err), RC_CONFIG);
    make_ca(d);
    assert_int_equal(ca_show(d->state, NOW, false, &d->text, &d->err), RC_OK);
    assert_non_null(memmem(d->text.p, d->text.w, "O=Province of Tests", 19));
    assert_non_null(memmem(d->text.p, d->text.w, "remove it from this machine", 27));
    unlink(path_of(d, "ca/root.key"));
    assert_int_equal(ca_show(d->state, NOW, true, &d->text, &d->err), RC_OK);
    json_t *j = json_loadb((const char *)d->text.p, d->text.w, 0, NULL);
    assert_non_null(j);
    assert_true(json_is_false(json_object_get(j, "root_key_here")));
    assert_int_equal(strlen(json_string_value(json_object_get(json_object_get(j, "issuing"), "sha256"))), 95);
    json_decref(j);
}

static void shows(struct dir *d, int64_t now, const char *what)
{
    assert_int_equal(ca_show(d->state, now, false, &d->text, &d->err), RC_OK);
    if (!memmem(d->text.p, d->text.w, what, strlen(what)))
        fail_msg("'%s' is not in:\n%.*s", what, (int)d->text.w, (const char *)d->text.p);
}

static void show_tells_of_the_second_ca_too(void **state)
{
    struct dir *d = *state;
    struct buf pem = {0};
    make_ca(d);
    shows(d, NOW, "untrusted CA\n  not made yet");
    assert_int_equal(untrusted_open(d->state, NOW, &pem, &d->err), RC_OK);
    shows(d, NOW,
          "untrusted CA (signs for origins with allowed defects; belongs in no store)\n  subject  CN=Perron "
          "untrusted ");
    shows(d, NOW, " 3650 days from now\n");
    shows(d, NOW + 3660 * INT64_C(86400), " -10 days from now\n");
    assert_int_equal(ca_show(d->state, NOW, true, &d->text, &d->err), RC_OK);
    json_t *j = json_loadb((const char *)d->text.p, d->text.w, 0, NULL), *u = json_object_get(j, "untrusted");
    assert_int_equal(json_integer_value(json_object_get(u, "days_left")), 3650);
    assert_int_equal(strlen(json_string_value(json_object_get(u, "sha256"))), 95);
    assert_null(memmem(d->text.p, d->text.w, "PRIVATE", 7));
    json_decref(j);
    chmod(path_of(d, "untrusted.pem"), 0444); /* the rest is shown all the same */
    shows(d, NOW, "others can read or write it");
    shows(d, NOW, "issuing CA\n  subject");
    assert_int_equal(ca_show(d->state, NOW, true, &d->text, &d->err), RC_OK);
    assert_non_null(memmem(d->text.p, d->text.w, "\"untrusted\":null", 16));
    buf_fini(&pem);
}

static long export_to(struct dir *d, const char *kind, uint8_t *out, size_t cap)
{
    unlink(path_of(d, "out"));
    assert_int_equal(ca_export(d->state, "ca", span_str(kind), path_of(d, "out"), &d->text, &d->err), RC_OK);
    assert_true(buf_len(&d->text) > 50);
    AUTO_CLOSE int fd = open(path_of(d, "out"), O_RDONLY);
    return (long)read(fd, out, cap);
}

static void every_kind_of_client_gets_the_root_in_its_form(void **state)
{
    struct dir *d = *state;
    uint8_t got[8192];
    make_ca(d);
    BIO *b = BIO_new_file(path_of(d, "ca/root.crt"), "r");
    X509 *root = PEM_read_bio_X509(b, NULL, NULL, NULL), *x;
    BIO_free(b);
    static const char *const der_kinds[] = {"gpo", "android"};
    for (size_t i = 0; i < 2; i++) {
        long n = export_to(d, der_kinds[i], got, sizeof got);
        const uint8_t *p = got;
        x = d2i_X509(NULL, &p, n);
        assert_int_equal(X509_cmp(x, root), 0);
        X509_free(x);
    }
    long n = export_to(d, "pem", got, sizeof got);
    b = BIO_new_mem_buf(got, (int)n);
    x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    assert_int_equal(X509_cmp(x, root), 0);
    X509_free(x);
    BIO_free(b);
    n = export_to(d, "firefox", got, sizeof got);
    json_t *j = json_loadb((const char *)got, (size_t)n, 0, NULL);
    assert_non_null(json_object_get(json_object_get(j, "policies"), "Certificates"));
    json_decref(j);
    n = export_to(d, "ios", got, sizeof got);
    assert_non_null(memmem(got, (size_t)n, "<data>MII", 9));
    n = export_to(d, "java", got, sizeof got);
    const uint8_t *p = got;
    PKCS12 *p12 = d2i_PKCS12(NULL, &p, n);
    assert_int_equal(PKCS12_verify_mac(p12, "changeit", -1), 1);
    STACK_OF(X509) *cas = NULL;
    EVP_PKEY *key = NULL;
    x = NULL;
    assert_int_equal(PKCS12_parse(p12, "changeit", &key, &x, &cas), 1);
    assert_null(key);
    assert_int_equal(sk_X509_num(cas), 1);
    assert_int_equal(X509_cmp(sk_X509_value(cas, 0), root), 0);
    sk_X509_pop_free(cas, X509_free);
    PKCS12_free(p12);
    X509_free(root);
}

static void export_refuses_unknown_kinds_and_existing_files(void **state)
{
    struct dir *d = *state;
    make_ca(d);
    assert_int_equal(ca_export(d->state, "ca", SPAN("netscape"), path_of(d, "out"), &d->text, &d->err),
                     RC_CONFIG);
    assert_int_equal(access(path_of(d, "out"), F_OK), -1);
    assert_int_equal(ca_export(d->state, "ca", SPAN("pem"), path_of(d, "out"), &d->text, &d->err), RC_OK);
    assert_int_equal(ca_export(d->state, "ca", SPAN("pem"), path_of(d, "out"), &d->text, &d->err), RC_CONFIG);
    assert_non_null(memmem(d->err.p, d->err.w, "already", 7));
    assert_int_equal(ca_export(d->state, "ca", SPAN("pem"), "/nonexistent/out", &d->text, &d->err),
                     RC_CONFIG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_ca_the_line_names_ca_init),
        TEST(a_missing_key_is_named),
        TEST(a_key_that_others_can_read_is_refused),
        TEST(a_key_of_another_owner_is_refused),
        TEST(a_directory_with_other_permissions_is_refused),
        TEST(links_and_other_kinds_of_files_are_refused),
        TEST(expired_and_future_certificates_are_refused),
        TEST(certificates_that_are_no_ca_are_refused),
        TEST(unreadable_certificates_are_refused),
        TEST(a_key_that_does_not_match_its_certificate_is_refused),
        TEST(a_key_with_a_passphrase_is_refused_without_asking),
        TEST(init_makes_exactly_these_files),
        TEST(init_never_overwrites_a_ca),
        TEST(init_gets_over_a_half_made_one),
        TEST(init_refuses_bad_names),
        TEST(two_installations_share_nothing),
        TEST(show_tells_what_a_client_shows),
        TEST(show_tells_of_the_second_ca_too),
        TEST(every_kind_of_client_gets_the_root_in_its_form),
        TEST(export_refuses_unknown_kinds_and_existing_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
