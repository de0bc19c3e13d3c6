/* THE ClientHello reader (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2): pure, incremental, in any cut of
 * TCP segments and TLS records, up to LIM_HELLO_BYTES. Feeds on the bytes as they come; the caller keeps them
 * for replay.
 *
 *   struct hello_reader r; hello_init(&r);
 *   rc = hello_feed(&r, new_bytes, &h);   // OK: h is filled; MORE; BAD: r.why names the reason; NOMEM
 *
 * Each byte is looked at once, so one-byte segments cost no more than one segment. Spans in `struct hello`
 * point into the reader's own message buffer and live as long as the reader. */
#ifndef GW_TLS_HELLO_H
#define GW_TLS_HELLO_H

#include "gw/base/buf.h"
#include "gw/tls/ja4.h"

/* Reasons, from hello_why.tbl: W(ID, "name-in-logs", "sentence"). */
enum hello_why {
#define W(id, name, text) HELLO_##id,
#include "gw/tls/hello_why.tbl"
#undef W
    HELLO_WHY_N
};
const char *hello_why_name(enum hello_why why);
const char *hello_why_text(enum hello_why why);

enum { HELLO_MAX_LIST = 64 };

struct hello {
    span sni;                /* as sent, one host_name; empty: none. Duplicates, NUL, over 255 bytes: BAD */
    uint16_t legacy_version; /* of the handshake message */
    uint16_t versions[HELLO_MAX_LIST]; /* supported_versions without GREASE, or legacy_version alone */
    uint16_t n_versions;
    uint16_t max_version;      /* highest of the 0x03xx among them; 0: drafts only */
    span alpn[HELLO_MAX_LIST]; /* protocol names, in order */
    uint16_t n_alpn;
    bool alpn_h2, alpn_http11;
    uint16_t groups[HELLO_MAX_LIST], key_shares[HELLO_MAX_LIST]; /* without GREASE */
    uint16_t n_groups, n_key_shares;
    uint16_t ciphers[256]; /* without GREASE, in order */
    uint16_t n_ciphers;
    bool ech;             /* encrypted_client_hello present (0xfe0d); GREASE ECH looks the same on the wire */
    bool early_data;      /* offers 0-RTT */
    bool post_quantum;    /* supported_groups names ML-KEM or Kyber, alone or hybrid */
    bool sha1_signatures; /* takes handshake signatures with SHA-1 */
    bool post_handshake_auth; /* may be asked for a certificate after the handshake */
    char ja4[JA4_BYTES + 1];
    size_t wire_len; /* bytes of records that make up the hello */
};

struct hello_reader {
    struct buf msg; /* handshake message without record headers */
    size_t fed;     /* bytes of the wire consumed; what follows the hello (early data) is never touched */
    uint8_t head[5];
    uint8_t n_head;
    uint16_t record_left;
    uint16_t v2_len; /* of a message in the form of SSL 2.0; 0: records */
    enum hello_why why;
};

void hello_init(struct hello_reader *r);
void hello_fini(struct hello_reader *r);
/* Looks at the first bytes of a connection: OK it may be TLS (or a hello in the SSL 2.0 form, which
 * hello_feed refuses by its name), MORE, BAD it is not TLS at all. */
enum rc hello_sniff(span first) MUST_USE;
/* Takes bytes up to the end of the hello. Once it said OK or BAD it says so again, whatever it is fed. */
enum rc hello_feed(struct hello_reader *r, span bytes, struct hello *out) MUST_USE;
/* Parses one whole handshake message (type, length, body), as hello_feed does once it has it. */
enum rc hello_parse(span message, struct hello *out, enum hello_why *why) MUST_USE;

#endif
