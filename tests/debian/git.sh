# git.sh - a small life of a repository: init, commit, branch, merge, log, clone, gc, fsck, bundle.
# test: secs=120

scenario()
{
    ENVIRONMENT+=(GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE=@1600000000+0000
        GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org GIT_COMMITTER_DATE=@1600000100+0000
        GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat)
    if [ $side = guest ]; then
        ENVIRONMENT+=(GIT_EXEC_PATH="$ROOT/usr/lib/git-core" GIT_TEMPLATE_DIR="$ROOT/usr/share/git-core/templates")
    fi
    p git init -q -b main repo
    for i in 1 2 3 4 5 6; do
        head -n $((i * 40)) $GPL >repo/text
        echo "$i" >repo/file$i
        p git -C repo add .
        p git -C repo commit -q -m "commit $i"
    done
    p git -C repo log --oneline --stat | cat
    p git -C repo checkout -q -b side HEAD~3
    echo side >repo/side
    p git -C repo add side
    p git -C repo commit -q -m side
    p git -C repo checkout -q main
    p git -C repo merge -q -m merged side
    p git -C repo log --graph --format='%h %s %an' | cat
    p git -C repo diff --stat HEAD~4 | cat
    p git -C repo blame -s text | head -n 3
    p git -C repo rev-parse HEAD HEAD^{tree}
    p git -C repo fsck --full
    p git -C repo gc -q --aggressive --prune=now
    p git -C repo count-objects -v | grep -E 'in-pack|packs'
    p git clone -q repo copy
    p git -C copy rev-parse HEAD
    p git -C copy grep -n freedom | head -n 3
    p git -C repo archive --format=tar HEAD | sha256sum
    p git -C repo bundle create -q ../b.bundle main
    p git clone -q b.bundle -b main frombundle
    ls frombundle
    p git -C repo status --short
    p git -C repo nosuchcommand
    # Indexes hold times and inodes, packs depend on threads.
    rm -rf repo/.git copy/.git frombundle/.git b.bundle
}
