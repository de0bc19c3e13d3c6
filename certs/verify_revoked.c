/* Revocation in a verdict; see verify.h and threats A 25-27. */
#include "certs/verify_int.h"

/* CA/Browser Forum BR 7.1.2.11.2: who lives no longer than this need not be revocable. */
enum { SHORT_LIFE_S = 7 * 86400 };

static bool staple_holds(const struct cert_verdict *v, int64_t now_s)
{
    return now_s < v->staple_until_s;
}

void verify_revocation(const struct revoked *set, struct cert_verdict *v, int64_t now_s)
{
    bool revoked = v->staple == STAPLE_REVOKED, known = v->n_path > 0;
    bool vouched = v->staple == STAPLE_GOOD && staple_holds(v, now_s);
    bool short_life = v->not_after - v->not_before <= SHORT_LIFE_S;
    for (uint8_t i = 0; i < v->n_path; i++) {
        enum revocation r = revoked_find(set, &v->path[i], now_s);
        revoked |= r == REVOCATION_REVOKED;
        known &= r != REVOCATION_UNKNOWN || (i == 0 && (vouched || short_life));
    }
    v->revocation_known = known || revoked;
    if (revoked)
        v->defects |= DEFECT_BIT(REVOKED);
    else
        v->defects &= ~DEFECT_BIT(REVOKED);
}

void verify_staple(span staple, STACK_OF(X509) * path, int64_t now_s, struct cert_verdict *v)
{
    v->staple = STAPLE_NONE;
    v->staple_until_s = 0;
    if (staple.n > 0)
        v->staple = sk_X509_num(path) < 2 ? STAPLE_WRONG_SIGNER
                                          : staple_read(staple, sk_X509_value(path, 0),
                                                        sk_X509_value(path, 1), now_s, &v->staple_until_s);
    if (v->must_staple && v->staple != STAPLE_GOOD && v->staple != STAPLE_REVOKED)
        v->defects |= DEFECT_BIT(NO_STAPLE);
}
