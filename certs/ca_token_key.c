/* A key in a token, as an EVP_PKEY; see ca_token.h. The one file that uses OpenSSL's ENGINE interface: Debian
 * 12 has no PKCS#11 provider, and the engine of libp11 works with OpenSSL 3.0.
 *
 * libp11 writes sentences of its own to standard error; while it searches they go nowhere, and what its error
 * codes mean is said here, in one line. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "certs/ca_token.h"

#include <fcntl.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "certs/ca_int.h"
#include "gw/base/obj.h"

enum { PIN_MAX = 256 };
/* PKCS#11 2.40 section 6.1.2 and libp11's own: what its errors have as reason. */
enum {
    CKR_PIN_INCORRECT = 0xa0,
    CKR_PIN_INVALID = 0xa1,
    CKR_PIN_LEN_RANGE = 0xa2,
    CKR_PIN_LOCKED = 0xa4,
    P11_LOAD_MODULE = 1025
};

static char *text_of(span s)
{
    char *text = malloc(s.n + 1);
    if (text) {
        memcpy(text, s.p, s.n);
        text[s.n] = '\0';
    }
    return text;
}

static enum rc set_environment(const struct ca_token *t)
{
    for (size_t i = 0; i < t->n_envs; i++) {
        char *name = text_of(t->envs[i]);
        char *value = name ? strchr(name, '=') : NULL;
        if (value)
            *value++ = '\0';
        int failed = value ? setenv(name, value, 1) : -1;
        free(name);
        if (failed)
            return RC_NOMEM;
    }
    return RC_OK;
}

/* Into the locked heap, without the newline that editors put after it. */
static char *read_pin(int fd)
{
    char *pin = OPENSSL_secure_zalloc(PIN_MAX + 1);
    ssize_t n = pin ? pread(fd, pin, PIN_MAX, 0) : -1;
    while (n > 0 && (pin[n - 1] == '\n' || pin[n - 1] == '\r'))
        pin[--n] = '\0';
    if (n > 0)
        return pin;
    OPENSSL_secure_clear_free(pin, PIN_MAX + 1);
    return NULL;
}

/* Standard error into nothing, and back. */
static int hush(void)
{
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDERR_FILENO);
        close(null);
    }
    return saved;
}

static void speak(int saved)
{
    if (saved < 0)
        return;
    dup2(saved, STDERR_FILENO);
    close(saved);
}

static enum rc explain(const struct ca_token *t, enum token_state *said, struct buf *err)
{
    unsigned long e;
    const char *why = "the token is not there, or has no such private key for this user (token= and object= "
                      "of its address)";
    *said = TOKEN_AWAY;
    while ((e = ERR_get_error())) {
        switch (ERR_GET_REASON(e)) {
        case CKR_PIN_INCORRECT:
        case CKR_PIN_INVALID:
        case CKR_PIN_LEN_RANGE:
            *said = TOKEN_PIN_REFUSED;
            why = "the token refuses the PIN";
            break;
        case CKR_PIN_LOCKED:
            *said = TOKEN_PIN_REFUSED;
            why = "the token's PIN is locked, after too many wrong ones: its administrator has to set a new "
                  "one";
            break;
        case P11_LOAD_MODULE: why = "its module cannot be loaded"; break;
        default: break;
        }
    }
    return ca_fail(err, "the CA key in the token %.*s: %s", (int)t->uri.n, (const char *)t->uri.p, why);
}

static EVP_PKEY *find_key(ENGINE *e, const struct ca_token *t, const char *pin)
{
    char *module = text_of(t->module), *uri = text_of(t->uri);
    EVP_PKEY *key = NULL;
    if (module && uri && ENGINE_ctrl_cmd_string(e, "MODULE_PATH", module, 0) == 1 &&
        ENGINE_ctrl_cmd_string(e, "PIN", pin, 0) == 1 && ENGINE_init(e) == 1)
        key = ENGINE_load_private_key(e, uri, NULL, NULL);
    free(module);
    free(uri);
    return key;
}

enum rc ca_token_key(const struct ca_token *t, int pin_fd, void **key, enum token_state *said,
                     struct buf *err)
{
    *key = NULL;
    *said = TOKEN_AWAY;
    if (!ca_lock_memory())
        return ca_fail(
            err, "no locked memory for the token's PIN: raise the limit on locked memory (RLIMIT_MEMLOCK)");
    TRY(set_environment(t));
    char *pin = read_pin(pin_fd);
    if (!pin)
        return ca_fail(err, "the file with the token's PIN is empty or cannot be read");
    ERR_clear_error();
    int saved = hush();
    ENGINE_load_dynamic();
    ENGINE *e = ENGINE_by_id("pkcs11");
    *key = e ? find_key(e, t, pin) : NULL;
    speak(saved);
    OPENSSL_secure_clear_free(pin, PIN_MAX + 1);
    if (!e)
        return ca_fail(err, "OpenSSL has no engine pkcs11: install libengine-pkcs11-openssl");
    if (!*key)
        return explain(t, said, err);
    *said = TOKEN_OK;
    ERR_clear_error();
    return RC_OK; /* the engine stays: the key lives in it */
}
