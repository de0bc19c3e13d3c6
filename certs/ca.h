/* The interception CA: a root that clients install and an issuing CA below it that signs leaves. Made fresh
 * at install by `perronctl ca init` (P-256, SHA-256; the root's key is only needed for a new issuing CA).
 * Files in STATE/ca (0700, root): root.crt, root.key, issuing.crt, issuing.key (0400, owned by the signer's
 * uid).
 *
 * Loading is split by power: the master opens and checks files (ca_open_files) without reading the key; the
 * signer reads the key from the descriptor into locked memory (ca_load_key) and checks that it matches the
 * certificate. */
#ifndef CERTS_CA_H
#define CERTS_CA_H

#include <sys/types.h>

#include "gw/base/buf.h"
#include "gw/base/limits.h"

struct ca;
/* What a CA that followed another adds to the CRL pointer of its leaves, so that each CA has its own:
 * "ca=1a2b3c4d". */
enum { CA_POINTER_MAX = 16 };

/* `perronctl ca init`: fails (CONFIG, one line in `err`) when a CA is there already. `org` names the
 * organisation, `crl_url` is not in these certificates: it goes into leaves. now_s: from the (scripted)
 * clock. */
enum rc ca_init(const char *state_dir, span org, uid_t signer_uid, int64_t now_s, struct buf *err) MUST_USE;
/* The same with names that this CA may never vouch for, sub-domains included (the organisation's own internal
 * names, its bank): they become critical nameConstraints of the issuing CA, which clients and the signer both
 * honour. */
struct ca_plan {
    span org;
    uid_t signer_uid;
    int64_t now_s;
    const span *exclude;
    size_t n_exclude;
    span token; /* content of issuing.token (certs/ca_token.h): the issuing key is there already; empty: a
                   fresh key */
    bool next;  /* into STATE/ca.next: prepared beside the one in force, whose exclusions hold for it too */
    bool keep_root; /* with `next`: a new issuing CA below the root in force, whose key must be here */
};
enum rc ca_init_plan(const char *state_dir, const struct ca_plan *plan, struct buf *err) MUST_USE;
/* Opens state_dir/ca/issuing.key and checks: there, regular, 0400, owned by signer_uid, directory 0700;
 * certificates parse, chain to root.crt, CA:TRUE, keyCertSign, not expired at now_s. One clear line in `err`
 * otherwise (CONFIG). chain_der: issuing then root certificate, each behind a u16 length. */
enum rc ca_open_files(const char *state_dir, uid_t signer_uid, int64_t now_s, int *key_fd,
                      struct buf *chain_der, struct buf *err) MUST_USE;
/* In the signer: reads the key, matches it to the chain's first certificate, keeps it in locked, non-dumpable
 * memory. `crl_url` is put into every leaf (empty: none). */
/* Does not close key_fd. The payload of MSG_CAKEY is a u16 length, crl_url, then chain_der as above. */
enum rc ca_load_key(int key_fd, span chain_der, span crl_url, struct ca **out, struct buf *err) MUST_USE;
void ca_free(struct ca *ca);
/* `perronctl ca export --for pem|gpo|firefox|ios|android|java`: writes the root for that kind of client to
 * `out_path` (pem: PEM; gpo: DER .cer; firefox: policies.json; ios: .mobileconfig; android: DER .crt; java:
 * PKCS#12 trust store) and says in `text` what to do with it. `name`: "ca", or "ca.next" for the one that is
 * prepared. */
enum rc ca_export(const char *state_dir, const char *name, span kind, const char *out_path, struct buf *text,
                  struct buf *err) MUST_USE;
/* `perronctl ca show`: subjects, serials, dates and how far their ends are from now_s, SHA-256 fingerprints,
 * as text or JSON; the second, untrusted CA too. */
enum rc ca_show(const char *state_dir, int64_t now_s, bool json, struct buf *text, struct buf *err) MUST_USE;

#endif
