/* Every cap and every deadline of the gateway, in one place. Names say the unit. */
#ifndef GW_BASE_LIMITS_H
#define GW_BASE_LIMITS_H

enum limits {
    /* what one stranger may make us hold */
    LIM_HELLO_BYTES = 65536,        /* ClientHello with its record headers; post-quantum hellos pass 16 KiB */
    LIM_HEAD_BYTES = 65536,         /* one HTTP/1 head: start line and all fields */
    LIM_HEAD_FIELDS = 200,          /* header fields in one head */
    LIM_CONNECTION_OPTIONS = 32,    /* elements of Connection in one head; each is compared with each field */
    LIM_TARGET_BYTES = 16384,       /* request-target */
    LIM_TRAILER_BYTES = 16384,      /* trailer section of a chunked body */
    LIM_CHUNK_LINE_BYTES = 256,     /* chunk size line with its extension */
    LIM_INTERIM_RESPONSES = 16,     /* 1xx before the final answer */
    LIM_H2_STREAMS = 100,           /* HTTP/2: requests at a time on one connection */
    LIM_H2_STREAM_BYTES = 262144,   /* ... content of one waiting for its reader, each way */
    LIM_H2_SESSION_BYTES = 1048576, /* ... of all of one connection, each way */
    LIM_H2_CONTINUATIONS = 8,       /* ... pieces of one head behind the first */
    LIM_H2_RESETS = 400,            /* ... requests taken back at once; an eighth of it a second after that */
    LIM_H2_PINGS = 400,             /* ... PINGs, likewise */
    LIM_H2_FRAMES = 4000,           /* ... other frames that move nothing, likewise */
    LIM_NAME_BYTES = 253,           /* host name (RFC 1035 section 2.3.4, without the root's dot) */
    LIM_FLOW_ARENA_BYTES = 262144,  /* everything that lives as long as a flow */
    LIM_EXCHANGE_ARENA_BYTES = 262144,
    LIM_PEND_BYTES = 65536,   /* bytes waiting for a slow reader, each way; then its sender is paused */
    LIM_CHAIN_CERTS = 10,     /* certificates an origin may send */
    LIM_CHAIN_BYTES = 102400, /* all of them together */
    LIM_PATH_CERTS = 11,      /* certificates under the anchor whose revocation is looked up */
    LIM_LEAF_NAMES = 50,      /* names in a leaf when the client sent no SNI */
    LIM_STAPLE_BYTES = 16384, /* a stapled statement of an issuer */
    /* what is fetched of certificates' issuers */
    LIM_CRL_BYTES = 67108864,      /* one revocation list: room for 1.5 million entries */
    LIM_REVOKED_SOURCES = 4096,    /* lists that are kept and refreshed */
    LIM_REVOKED_SERIALS = 8388608, /* entries of all of them together */
    LIM_ISSUER_BYTES = 16384,      /* an issuer's certificate */
    LIM_ISSUERS_KEPT = 1024,       /* issuers that a worker remembers */
    LIM_FETCHES = 16,              /* at the same time */
    LIM_FETCHES_WAITING = 4096,    /* ... and waiting for their turn */
    LIM_REDIRECTS = 3,
    LIM_FETCH_MS = 60000,       /* one list, look-up and redirects included */
    LIM_FETCH_ISSUER_MS = 5000, /* one issuer's certificate */
    LIM_FETCH_WAIT_MS = 3000,   /* a flow waits so long for an issuer or a list */
    /* what a worker holds */
    LIM_WORKERS = 64,
    LIM_FLOWS_PER_WORKER = 100000,
    LIM_LEAVES_CACHED = 20000,
    LIM_ASKING = 1024,        /* origins known to ask for a client certificate, exempted for it ... */
    LIM_ASKING_S = 28800,     /* ... for so long */
    LIM_ORIGIN_PLACES = 4096, /* of which TLS sessions are kept; some 12 KiB each */
    LIM_ORIGIN_TICKETS = 256, /* ... of one place: each is used once */
    LIM_OLD_CAS = 8,          /* authorities that were in force before, whose CRLs are answered */
    LIM_LEAF_OBJECTS = 128,   /* certificate objects in reserve for the next handshakes */
    LIM_LEAFLOG_FILE_BYTES = 67108864,    /* then a new file of the register of leaves is begun */
    LIM_UNTRUSTED_CACHED = 1000,          /* leaves for origins with allowed defects */
    LIM_ORIGIN_SESSIONS = 16384,          /* ... all together; 1 KiB each */
    LIM_ORIGIN_SESSION_S = 43200,         /* after so long an origin shows its certificate again */
    LIM_TICKET_KEY_S = 14400,             /* clients' tickets: a new key every so long; three of them open */
    LIM_POOL_PLACES = 1024,               /* origins (of one client) with idle connections ... */
    LIM_POOL_EACH = 6,                    /* ... so many each, as browsers open */
    LIM_MINTS_OPEN = 8192,                /* different leaves a worker waits for */
    LIM_MINT_RATE = 200,                  /* leaves per second that the signer makes for one worker ... */
    LIM_MINT_BURST = 4000,                /* ... after this many at once */
    LIM_NAMES_CACHED = 20000,             /* resolver answers */
    LIM_PIPES_POOLED = 256,               /* splice pipes kept for reuse */
    LIM_IO_BYTES = 16384,                 /* scratch for one read: a full TLS record */
    LIM_RING_BYTES = 16777216,            /* a worker's ring to the logger */
    LIM_EVENT_BYTES = 17408,              /* one event line */
    LIM_LOG_BATCH_BYTES = 1048576,        /* lines that the logger writes and syncs at once */
    LIM_LOG_FILE_BYTES = 268435456,       /* then a new log file is begun */
    LIM_RECORD_BYTES = 15360,             /* one decision record (policy/record.h) */
    LIM_JOURNAL_SEGMENT_BYTES = 67108864, /* then a new segment of the journal is begun */
    LIM_SEEN_NAMES = 65536,               /* host names seen lately that the logger keeps */
    LIM_SEEN_ONCE = 65536,                /* hashes of names that one flow alone has asked for */
    LIM_SEEN_DAYS = 90,                   /* a name that nobody asked for so long is forgotten */
    LIM_SEEN_WRITE_MS = 600000,           /* ... and the names are written down this often */
    LIM_MSG_BYTES = 65536,                /* one message between processes */
    LIM_MSG_QUEUE = 4096,                 /* messages waiting for a slow process */
    LIM_MSG_QUEUE_BYTES = 8388608,        /* all of them together */
    LIM_DIAG_BYTES = 262144,              /* what the compiler may have to say about one policy */
    LIM_CONTROL_CLIENTS = 16,             /* perronctl at the same time */
    LIM_CONTROL_BYTES = 16384,            /* one request of perronctl */
    LIM_CONTROL_OUT_BYTES = 67108864,     /* answers waiting for a slow perronctl */
    /* what the master keeps in the state directory */
    LIM_LISTS_KEPT = 8,            /* parts of lists, for a way back */
    LIM_SNAPSHOT_KEPT_DAYS = 1096, /* policy and grants parts, after they were last in force */
    LIM_SNAPSHOTS_SHOWN = 1000,    /* by one `show snapshots`, newest first */
    LIM_HITS_SLOTS = 131072,       /* rules that a worker counts before it is given new memory */
    LIM_HITS_KEPT = 262144,        /* rules whose counters are remembered */
    LIM_HITS_TURN_MS = 5000,       /* the workers' counters are looked at this often ... */
    LIM_HITS_WRITE_MS = 15000,     /* ... and written down this often */
    LIM_GRANTS = 65536,            /* in force at the same time */
    LIM_GRANT_TEXT = 2048,         /* a target, a person, a reason */
    LIM_GRANT_DAYS = 366,          /* the longest grant */
    LIM_EXEMPT_HOURS = 24,         /* the longest exemption of a zone */
    /* what the policy compiler takes */
    LIM_POLICY_BYTES = 16777216, /* one policy file */
    LIM_POLICY_FILES = 256,      /* with all that it includes */
    LIM_POLICY_LINE_BYTES = 65536,
    LIM_POLICY_DEPTH = 16, /* files including files */
    LIM_POLICY_TREE_BYTES = 1073741824,
    LIM_POLICY_RULES = 65536, /* in one kind of block */
    LIM_POLICY_SCHEDULES = 128,
    LIM_POLICY_SLOTS = 16384,      /* stretches of one schedule: a day of a dated one each */
    LIM_POLICY_TIME_ZONES = 16,    /* that schedules are told in */
    LIM_POLICY_STALE_GROUPS = 128, /* groups with `stale` */
    LIM_POLICY_PATH_BYTES = 512,   /* of a rule */
    LIM_POLICY_PART_BYTES = 268435456,
    LIM_LIST_BYTES = 1073741824,   /* one list file */
    LIM_CLICK_S = 900,             /* a click on a warning counts so many seconds */
    LIM_CLICK_OFFER_S = 3600,      /* ... and may come so long after the page */
    LIM_CLICK_TARGET_BYTES = 4000, /* path and query that the click leads back to */
    LIM_CLIENTS_SHARED = 65536,    /* clients whose share of new leaves is counted */
    LIM_CLIENT_MINT_RATE = 50,     /* new leaves a second for one client ... */
    LIM_CLIENT_MINT_BURST = 1000,  /* ... after so many at once */
    LIM_CLIENT_FLOWS = 8192,       /* open flows of one address in a worker; a school behind NAT is one */
    LIM_NETWORK_FLOWS = 50000,     /* ... of one /24 or, in IPv6, /64: the others always have as many */
    /* deadlines, milliseconds */
    LIM_HELLO_MS = 10000, /* from accept to a whole hello or first request line */
    LIM_RESOLVE_MS = 5000,
    LIM_CONNECT_MS = 10000,
    LIM_UPSTREAM_TLS_MS = 10000,
    LIM_MINT_MS = 2000, /* waiting for the signer */
    LIM_CLIENT_TLS_MS = 10000,
    LIM_HEAD_MS = 30000,          /* a request head, once its first byte is there */
    LIM_KEEPALIVE_MS = 120000,    /* between requests */
    LIM_POOL_IDLE_MS = 30000,     /* an idle connection with an origin that nobody uses */
    LIM_ANSWER_MS = 120000,       /* from request to the head of its answer, or from a 1xx */
    LIM_BODY_STALL_MS = 60000,    /* no byte of a body moved in either direction */
    LIM_TUNNEL_IDLE_MS = 3600000, /* WebSocket and spliced flows without a byte */
    LIM_LINGER_MS = 2000,         /* letting the last answer reach the client */
    LIM_HOLD_MS = 10000,          /* journal full and policy says hold */
    LIM_JUDGE_MS = 60000,       /* verdicts are looked at this often at least: the clock may have been set */
    LIM_JUDGE_GAP_MS = 100,     /* ... and not more often than this */
    LIM_JUDGE_TURN_US = 1000,   /* deciding flows again takes at most this of one turn of the loop */
    LIM_HEARTBEAT_MS = 100,     /* master asks its children */
    LIM_SIGNER_SILENT_MS = 600, /* then the signer is replaced */
    LIM_WORKER_SILENT_MS = 10000,
    LIM_DRAIN_MS = 30000,       /* orderly stop: open exchanges may end */
    LIM_STOP_OVERDUE_MS = 3000, /* a child told to stop has it beyond its grace; then it ends as it is */
    LIM_LOG_SYNC_MS = 50,       /* a power cut loses at most this much */
    LIM_LOG_GATHER_MS = 16,     /* under load the logger looks into the rings this often */
    LIM_LOG_RETRY_MS = 1000,    /* a disk that refuses a write is asked again */
    LIM_LOG_LINGER_MS = 500,    /* master gone: silence in all rings after which the logger ends too */
};

#endif
