/* Folders and files of lists; see listtree.h. */
#include "signatures/listtree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/obj.h"

enum { PATH_BYTES = 4096 };

static const struct {
    const char *word;
    enum list_format format;
} kinds[] = {{"file", LIST_PLAIN}, {"urls", LIST_URLS},       {"hosts", LIST_HOSTS},
             {"rpz", LIST_RPZ},    {"adblock", LIST_ADBLOCK}, {"ut1", LIST_PLAIN}};

static bool join(char out[PATH_BYTES], const char *dir, const char *name)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", dir, name);
    return n > 0 && n < PATH_BYTES;
}

enum rc listtree_ut1(struct catc *c, const char *path, unsigned *n)
{
    static const struct {
        const char *name;
        enum list_format format;
    } files[] = {{"domains", LIST_PLAIN}, {"urls", LIST_URLS}, {"expressions", LIST_EXPRESSIONS}};
    *n = 0;
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        char file[PATH_BYTES];
        if (!join(file, path, files[i].name) || access(file, F_OK) != 0)
            continue;
        TRY(catc_file(c, file, files[i].format));
        ++*n;
    }
    return RC_OK;
}

/* "KIND NAME", the last word of the path. */
static enum rc begin_list(struct catc *c, const char *kind, const char *path)
{
    char name[PATH_BYTES];
    size_t n = strlen(path), from;
    while (n > 1 && path[n - 1] == '/')
        n--;
    for (from = n; from > 0 && path[from - 1] != '/';)
        from--;
    snprintf(name, sizeof name, "%s %.*s", kind, (int)(n - from), path + from);
    return catc_list(c, span_str(name));
}

static bool is_list(const char *folder)
{
    static const char *const names[] = {"domains", "urls", "expressions"};
    char file[PATH_BYTES];
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (join(file, folder, names[i]) && access(file, F_OK) == 0)
            return true;
    }
    return false;
}

static enum rc add_folder(struct catc *c, const char *path)
{
    unsigned n;
    TRY(begin_list(c, "ut1", path));
    return listtree_ut1(c, path, &n);
}

/* Folders of a tree by name, so that the lists have the same numbers everywhere. */
static enum rc add_tree(struct catc *c, const char *path)
{
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    enum rc rc = n < 0 ? RC_IO : RC_BAD;
    for (int i = 0; i < n; i++) {
        char folder[PATH_BYTES];
        bool ok = names[i]->d_name[0] != '.' && join(folder, path, names[i]->d_name) && is_list(folder);
        if (ok && (rc == RC_OK || rc == RC_BAD))
            rc = add_folder(c, folder);
        free(names[i]);
    }
    if (n >= 0)
        free((void *)names);
    return rc;
}

enum rc listtree_add(struct catc *c, const char *source)
{
    struct stat st;
    const char *colon = strchr(source, ':');
    size_t k = 0;
    while (colon && k < N_ELEMS(kinds) &&
           !span_eq(span_of(source, (size_t)(colon - source)), span_str(kinds[k].word)))
        k++;
    bool said = colon && k < N_ELEMS(kinds);
    const char *path = said ? colon + 1 : source;
    k = said ? k : 0;
    if (stat(path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR ? RC_NOTFOUND : RC_IO;
    if (S_ISDIR(st.st_mode))
        return is_list(path) ? add_folder(c, path) : add_tree(c, path);
    TRY(begin_list(c, kinds[k].word, path));
    return catc_file(c, path, kinds[k].format);
}
