/* X25519; see x25519.h. Objects are those of OpenSSL's own provider: contexts of theirs are made with its
 * handle instead of ours, and only what generates a key is ours. */
#include "gw/tls/x25519.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "gw/base/buf.h"
#include "gw/base/obj.h"

enum { BYTES = 32, KEYMGMT_MOST = 24, KEYEXCH_MOST = 12 };

/* One per process, filled by x25519_init(), never changed. */
static struct {
    OSSL_PROVIDER *standard;
    void *provider; /* its handle */
    OSSL_FUNC_keymgmt_new_fn *key_new;
    OSSL_FUNC_keymgmt_free_fn *key_free;
    OSSL_FUNC_keymgmt_import_fn *key_import;
    OSSL_FUNC_keyexch_newctx_fn *exchange_new;
    OSSL_FUNC_keyexch_init_fn *exchange_init;
    OSSL_FUNC_keyexch_set_peer_fn *exchange_peer;
    OSSL_FUNC_keyexch_derive_fn *exchange_derive;
    OSSL_FUNC_keyexch_freectx_fn *exchange_free;
} theirs;

OSSL_DISPATCH x25519_keymgmt[KEYMGMT_MOST];
OSSL_DISPATCH x25519_keyexch[KEYEXCH_MOST];

/* ---- a new key ---- */

static void *key_new(void *provider)
{
    void *key = theirs.key_new(theirs.provider);
    (void)provider;
    return key;
}

/* NULL: no memory. */
static void *key_of(uint8_t private_bytes[BYTES], uint8_t public_bytes[BYTES])
{
    const OSSL_PARAM both[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, private_bytes, BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public_bytes, BYTES),
        OSSL_PARAM_construct_end(),
    };
    void *key = key_new(NULL);
    if (key && theirs.key_import(key, OSSL_KEYMGMT_SELECT_KEYPAIR, both) == 1)
        return key;
    theirs.key_free(key);
    return NULL;
}

/* The shared secret of a private key and a public value. */
static bool exchange(uint8_t private_bytes[BYTES], uint8_t public_bytes[BYTES], uint8_t out[BYTES])
{
    size_t n = 0;
    void *key = key_of(private_bytes, public_bytes); /* no pair: each half is asked for what it is */
    void *x = key ? theirs.exchange_new(theirs.provider) : NULL;
    bool ok = x && theirs.exchange_init(x, key, NULL) == 1 && theirs.exchange_peer(x, key) == 1 &&
              theirs.exchange_derive(x, out, &n, BYTES) == 1 && n == BYTES;
    if (x)
        theirs.exchange_free(x);
    theirs.key_free(key);
    return ok;
}

struct generator {
    int selection;
};

/* There is one group, which may be named. */
static int generator_set(void *generator, const OSSL_PARAM params[])
{
    const OSSL_PARAM *group = params ? OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME) : NULL;
    (void)generator;
    return !group ||
           (group->data_type == OSSL_PARAM_UTF8_STRING && span_ieq(span_str(group->data), SPAN("x25519")));
}

static const OSSL_PARAM *generator_settable(void *generator, void *provider)
{
    static const OSSL_PARAM group[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_END};
    (void)generator;
    (void)provider;
    return group;
}

static void *generator_new(void *provider, int selection, const OSSL_PARAM params[])
{
    (void)provider;
    struct generator *g = generator_set(NULL, params) ? OPENSSL_malloc(sizeof *g) : NULL;
    if (g)
        g->selection = selection;
    return g;
}

static void generator_free(void *generator)
{
    OPENSSL_free(generator);
}

static void *generate(void *generator, OSSL_CALLBACK *progress, void *arg)
{
    const struct generator *g = generator;
    uint8_t private_bytes[BYTES], public_bytes[BYTES], base[BYTES] = {9};
    void *key = NULL;
    (void)progress;
    (void)arg;
    if (!(g->selection & OSSL_KEYMGMT_SELECT_KEYPAIR))
        return key_new(NULL); /* "parameters": an empty key that a peer's is put into */
    if (RAND_priv_bytes(private_bytes, BYTES) == 1) {
        private_bytes[0] &= 248; /* RFC 7748 section 5 */
        private_bytes[BYTES - 1] &= 127;
        private_bytes[BYTES - 1] |= 64;
        if (exchange(private_bytes, base, public_bytes))
            key = key_of(private_bytes, public_bytes);
    }
    OPENSSL_cleanse(private_bytes, sizeof private_bytes);
    return key;
}

/* ---- what is theirs ---- */

static void *exchange_new(void *provider)
{
    void *x = theirs.exchange_new(theirs.provider);
    (void)provider;
    return x;
}

static bool has_name(const char *names, span name)
{
    for (span rest = span_str(names); rest.n > 0;) {
        const uint8_t *colon = memchr(rest.p, ':', rest.n);
        size_t n = colon ? (size_t)(colon - rest.p) : rest.n;
        if (span_ieq(span_cut(rest, 0, n), name))
            return true;
        rest = span_cut(rest, colon ? n + 1 : n, rest.n);
    }
    return false;
}

static const OSSL_DISPATCH *table_of(OSSL_PROVIDER *standard, int operation)
{
    int no_cache = 0;
    const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(standard, operation, &no_cache);
    const OSSL_DISPATCH *table = NULL;
    for (const OSSL_ALGORITHM *at = a; at && at->algorithm_names && !table; at++) {
        if (has_name(at->algorithm_names, SPAN("X25519")))
            table = at->implementation;
    }
    OSSL_PROVIDER_unquery_operation(standard, operation, a);
    return table;
}

static void (*function_of(const OSSL_DISPATCH *t, int id))(void)
{
    while (t && t->function_id != 0 && t->function_id != id)
        t++;
    return t && t->function_id == id ? t->function : NULL;
}

/* Copies those of `ids` that `from` has behind what `to` has. Only what is known is copied: what a later
 * OpenSSL adds could expect a generator of its own. */
static void copy(const OSSL_DISPATCH *from, const int *ids, size_t n, OSSL_DISPATCH *to, size_t most)
{
    size_t at = 0;
    while (to[at].function_id != 0)
        at++;
    for (size_t i = 0; i < n; i++) {
        void (*f)(void) = function_of(from, ids[i]);
        if (!f)
            continue;
        gw_assert(at + 1 < most);
        to[at++] = (OSSL_DISPATCH){ids[i], f};
    }
}

static void fill_tables(const OSSL_DISPATCH *keys, const OSSL_DISPATCH *exchanges)
{
    static const int of_keys[] = {
        OSSL_FUNC_KEYMGMT_FREE,         OSSL_FUNC_KEYMGMT_GET_PARAMS,      OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,
        OSSL_FUNC_KEYMGMT_SET_PARAMS,   OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, OSSL_FUNC_KEYMGMT_HAS,
        OSSL_FUNC_KEYMGMT_MATCH,        OSSL_FUNC_KEYMGMT_VALIDATE,        OSSL_FUNC_KEYMGMT_IMPORT,
        OSSL_FUNC_KEYMGMT_IMPORT_TYPES, OSSL_FUNC_KEYMGMT_EXPORT,          OSSL_FUNC_KEYMGMT_EXPORT_TYPES,
        OSSL_FUNC_KEYMGMT_DUP,
    };
    static const int of_exchanges[] = {OSSL_FUNC_KEYEXCH_INIT, OSSL_FUNC_KEYEXCH_DERIVE,
                                       OSSL_FUNC_KEYEXCH_SET_PEER, OSSL_FUNC_KEYEXCH_FREECTX,
                                       OSSL_FUNC_KEYEXCH_DUPCTX};
    x25519_keymgmt[0] = (OSSL_DISPATCH){OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))key_new};
    x25519_keymgmt[1] = (OSSL_DISPATCH){OSSL_FUNC_KEYMGMT_GEN_INIT, (void (*)(void))generator_new};
    x25519_keymgmt[2] = (OSSL_DISPATCH){OSSL_FUNC_KEYMGMT_GEN, (void (*)(void))generate};
    x25519_keymgmt[3] = (OSSL_DISPATCH){OSSL_FUNC_KEYMGMT_GEN_CLEANUP, (void (*)(void))generator_free};
    x25519_keymgmt[4] = (OSSL_DISPATCH){OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, (void (*)(void))generator_set};
    x25519_keymgmt[5] =
        (OSSL_DISPATCH){OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, (void (*)(void))generator_settable};
    copy(keys, of_keys, N_ELEMS(of_keys), x25519_keymgmt, KEYMGMT_MOST);
    x25519_keyexch[0] = (OSSL_DISPATCH){OSSL_FUNC_KEYEXCH_NEWCTX, (void (*)(void))exchange_new};
    copy(exchanges, of_exchanges, N_ELEMS(of_exchanges), x25519_keyexch, KEYEXCH_MOST);
}

bool x25519_init(OSSL_PROVIDER *standard)
{
    const OSSL_DISPATCH *keys = table_of(standard, OSSL_OP_KEYMGMT);
    const OSSL_DISPATCH *exchanges = table_of(standard, OSSL_OP_KEYEXCH);
    theirs.standard = standard;
    theirs.provider = OSSL_PROVIDER_get0_provider_ctx(standard);
    theirs.key_new = (OSSL_FUNC_keymgmt_new_fn *)function_of(keys, OSSL_FUNC_KEYMGMT_NEW);
    theirs.key_free = (OSSL_FUNC_keymgmt_free_fn *)function_of(keys, OSSL_FUNC_KEYMGMT_FREE);
    theirs.key_import = (OSSL_FUNC_keymgmt_import_fn *)function_of(keys, OSSL_FUNC_KEYMGMT_IMPORT);
    theirs.exchange_new = (OSSL_FUNC_keyexch_newctx_fn *)function_of(exchanges, OSSL_FUNC_KEYEXCH_NEWCTX);
    theirs.exchange_init = (OSSL_FUNC_keyexch_init_fn *)function_of(exchanges, OSSL_FUNC_KEYEXCH_INIT);
    theirs.exchange_peer =
        (OSSL_FUNC_keyexch_set_peer_fn *)function_of(exchanges, OSSL_FUNC_KEYEXCH_SET_PEER);
    theirs.exchange_derive = (OSSL_FUNC_keyexch_derive_fn *)function_of(exchanges, OSSL_FUNC_KEYEXCH_DERIVE);
    theirs.exchange_free = (OSSL_FUNC_keyexch_freectx_fn *)function_of(exchanges, OSSL_FUNC_KEYEXCH_FREECTX);
    if (!theirs.key_new || !theirs.key_free || !theirs.key_import || !theirs.exchange_new ||
        !theirs.exchange_init || !theirs.exchange_peer || !theirs.exchange_derive || !theirs.exchange_free)
        return false;
    fill_tables(keys, exchanges);
    return true;
}

/* ---- the group of TLS ---- */

struct told {
    OSSL_CALLBACK *tell;
    void *arg;
};

static int tell_ours(const OSSL_PARAM group[], void *arg)
{
    const struct told *to = arg;
    const OSSL_PARAM *kind = OSSL_PARAM_locate_const(group, OSSL_CAPABILITY_TLS_GROUP_ALG);
    const char *name = NULL;
    if (!kind || OSSL_PARAM_get_utf8_string_ptr(kind, &name) != 1 || strcmp(name, "X25519") != 0)
        return 1;
    return to->tell(group, to->arg);
}

int x25519_group(OSSL_CALLBACK *tell, void *arg)
{
    struct told to = {tell, arg};
    return OSSL_PROVIDER_get_capabilities(theirs.standard, "TLS-GROUP", tell_ours, &to);
}
