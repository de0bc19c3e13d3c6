/* What a worker keeps of origins from one connection to the next: verified chains, TLS sessions, idle
 * connections, who asks for a client certificate. All of it follows from certificates that were judged, so
 * all of it goes when trust changes. */
#include "gw/flow/engine.h"

#include "certs/chaincache.h"
#include "certs/untrusted.h"
#include "gw/flow/noted.h"
#include "gw/flow/pool.h"
#include "gw/flow/revoke.h"
#include "gw/flow/sessions.h"
#include "gw/flow/upstream.h"
#include "gw/tls/ctx.h"

enum { CHAINS_CACHED = 10000 };

enum rc origins_init(struct engine *e)
{
    TRY(chaincache_new(CHAINS_CACHED, &e->chains));
    TRY(revoke_init(e));
    TRY(sessions_new(LIM_ORIGIN_PLACES, LIM_ORIGIN_SESSIONS, &e->sessions));
    TRY(pool_new(e->ev, LIM_POOL_PLACES, &e->pool));
    TRY(ctx_client_new(upstream_verify, upstream_asked, &e->to_origins));
    ctx_keep_sessions(e->to_origins, upstream_session);
    TRY(ctx_weak_new(upstream_verify, upstream_asked, &e->to_weak));
    SSL_CTX_set_info_callback(e->to_origins, upstream_info);
    SSL_CTX_set_info_callback(e->to_weak, upstream_info);
    TRY(noted_new(LIM_WEAK_ORIGINS, LIM_WEAK_ORIGIN_S, &e->weak));
    return noted_new(LIM_ASKING, LIM_ASKING_S, &e->asking);
}

void origins_fini(struct engine *e)
{
    noted_free(e->asking);
    noted_free(e->weak);
    pool_free(e->pool);
    revoke_fini(e);
    sessions_free(e->sessions);
    chaincache_free(e->chains);
    untrusted_free(e->untrusted);
    SSL_CTX_free(e->to_origins);
    SSL_CTX_free(e->to_weak);
}

enum rc engine_second_ca(struct engine *e, span pem)
{
    return e->untrusted ? RC_BAD : untrusted_load(pem, LIM_UNTRUSTED_CACHED, &e->untrusted);
}

void origins_reloaded(struct engine *e)
{
    noted_reloaded(e->asking, e->snap);
    noted_reloaded(e->weak, e->snap);
}

uint64_t engine_trust_generation(const struct engine *e)
{
    return e->trust_generation;
}

void engine_trust_changed(struct engine *e)
{
    e->trust_generation++;
    chaincache_clear(e->chains);
    sessions_clear(e->sessions);
    pool_clear(e->pool);
}
