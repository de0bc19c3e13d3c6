/* The issuing CA's key in a token (PKCS#11, through OpenSSL's engine `pkcs11`): the key never is in our
 * memory, every signature is the token's. Where it is stands in ca/issuing.token, in place of ca/issuing.key:
 *   uri
 * pkcs11:token=perron;object=issuing?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/perron/pin
 *   path /var/lib/softhsm/tokens                  folder or socket that the module needs while it signs (up
 * to two) env  SOFTHSM2_CONF=/etc/perron/softhsm2.conf  what the module looks for in its environment (up to
 * two) An address is one of RFC 7512; module-path and pin-source have to be in it, a PIN (pin-value) never.
 *
 * Split by power like the key file: the master reads this file and opens PIN and paths (ca_token_open), the
 * signer gets descriptors, reads the PIN, loads the module and finds the key (ca_load_token), before its
 * sandbox closes. */
#ifndef CERTS_CA_TOKEN_H
#define CERTS_CA_TOKEN_H

#include "certs/ca.h"

enum { CA_TOKEN_PATHS = 2, CA_TOKEN_ENVS = 2, CA_TOKEN_BYTES = 4096, CA_TOKEN_FDS = 1 + CA_TOKEN_PATHS };

/* Spans borrow from the text it was read from. */
struct ca_token {
    span uri;    /* without what follows the question mark */
    span module; /* absolute path */
    span pin; /* absolute path of the file with the PIN, percent-decoded by no one: no '%' is allowed in it */
    size_t n_paths, n_envs;
    span paths[CA_TOKEN_PATHS], envs[CA_TOKEN_ENVS];
};
/* The content of ca/issuing.token. CONFIG with one line in `err` (which begins with `name`). Pure. */
enum rc ca_token_parse(span text, const char *name, struct ca_token *out, struct buf *err) MUST_USE;
/* In the master: checks the module (regular, of root, not writable by others) and the PIN file (regular, mode
 * 0400 or 0600, of root or the signer), opens the PIN file and the paths. fds[0]: PIN, then the paths; -1
 * where there is none; the caller's. */
enum rc ca_token_open(const struct ca_token *t, uid_t signer_uid, int fds[CA_TOKEN_FDS],
                      struct buf *err) MUST_USE;
/* MSG_TOKEN: for the signer, which gets no path to open. */
enum rc ca_token_put(struct buf *out, const struct ca_token *t) MUST_USE;
enum rc ca_token_get(span payload, struct ca_token *out) MUST_USE;

/* Where the issuing CA's key is, opened by the master. */
struct ca_source {
    bool token;
    int fds[CA_TOKEN_FDS]; /* a key file alone; or PIN file and paths */
    size_t n_fds;
    char pointer[CA_POINTER_MAX + 1]; /* query of its CRL pointer; empty: the plain one */
    struct buf spec;                  /* MSG_TOKEN's payload */
    uint64_t pin[4];                  /* device, inode, time and size of the PIN file: does it change? */
};
void ca_source_close(struct ca_source *s);
/* Opens and checks the CA in state_dir/NAME ("ca", or "ca.next": the one that is prepared): folder 0700;
 * certificates parse, chain to the root, CA:TRUE, keyCertSign, in date at now_s; the key's file, or the
 * token's. One clear line in `err` otherwise (CONFIG). chain_der: issuing then root certificate, each behind
 * a u16 length. */
enum rc ca_open(const char *state_dir, const char *name, uid_t signer_uid, int64_t now_s,
                struct ca_source *out, struct buf *chain_der, struct buf *err) MUST_USE;

/* What a token said. */
enum token_state { TOKEN_OK, TOKEN_AWAY, TOKEN_PIN_REFUSED };
/* In the signer (and perronctl, when it makes a CA): sets the module's environment, loads it, logs in once
 * with the PIN in pin_fd (not closed). CONFIG with one line otherwise; *said says whether the PIN was what
 * was wrong: trying it again may lock the token. *key is an EVP_PKEY. */
enum rc ca_token_key(const struct ca_token *t, int pin_fd, void **key, enum token_state *said,
                     struct buf *err) MUST_USE;
/* As ca_load_key(), with such a key. */
enum rc ca_load_token(const struct ca_token *t, int pin_fd, span chain_der, span crl_url, struct ca **out,
                      enum token_state *said, struct buf *err) MUST_USE;

#endif
