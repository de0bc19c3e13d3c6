/* Certificates of the bench: a laboratory root (ECDSA P-256), one leaf per origin name signed by it, or by an
 * intermediate below it, and HAProxy's fixed certificate. All are written as PEM files into one folder and
 * never leave it. */
#ifndef BENCH_PKI_H
#define BENCH_PKI_H

#include "gw/base/buf.h"

#define PKI_DOMAIN "bench.test"

enum { PKI_NAME_MAX = 48, PKI_NAMES_MAX = 10000 };

/* Name number i of the origins: 0 is www.bench.test, others n00001.bench.test and so on. */
void pki_name(unsigned long i, char out[PKI_NAME_MAX]);
/* Writes root.pem, origin.key, NAME.pem for names 0 .. n_names, and haproxy.pem (key, a leaf for
 * *.bench.test, its issuer) into dir. With `intermediate` origins send leaf + intermediate, else the leaf
 * alone. */
enum rc pki_make(const char *dir, unsigned long n_names, bool intermediate) MUST_USE;

#endif
