#!/usr/bin/env bash
# Kernels that lack something, stood in for by a filter that answers a system call as such a kernel does.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh

prepare_daemon features

# without CALL ARGUMENT ERRNO PROGRAM...: the system call fails with that number where its first argument is that one, or always (-1).
cat >"$DIR/without.c" <<'C'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int argument = atoi(argv[2]);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(argv[1]), 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)argument, 0, argument < 0 ? 0 : 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)atoi(argv[3])),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (argc < 5 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 125;
	execv(argv[4], argv + 4);
	return 126;
}
C
clang -O1 -o "$DIR/without" "$DIR/without.c"

# start COMMAND_OF_BPF ERRNO: prints the daemon's output; its exit status is in $?.
start() { inside timeout 20 "$DIR/without" "$BPF" "$1" "$2" "$COUIC" -c "$DIR/couic.toml" 2>&1; }
attached() { inside ip link show lo | grep -c prog/xdp; }

number() { printf '#include <asm/unistd.h>\n__NR_%s\n' "$1" | clang -E - | tail -n 1; }
BPF=$(number bpf)
ENOSYS=38
EINVAL=22
ENOMEM=12
BPF_MAP_CREATE=0
BPF_LINK_CREATE=28

said=$(start -1 $ENOSYS)
equal 'a kernel without bpf(2) fails the start' 1 $?
equal 'in one line' 1 "$(wc -l <<<"$said")"
matches 'that names the missing feature' "$said" 'couic: .*not implemented'
equal 'and leaves no socket' no "$([ -e "$SOCKET" ] && echo yes || echo no)"

said=$(start $BPF_MAP_CREATE $EINVAL)
equal 'a kernel that does not make a map fails the start' 1 $?
equal 'in one line' 1 "$(wc -l <<<"$said")"
matches 'that names the map' "$said" 'couic: .*couic_'
equal 'and nothing is attached' 0 "$(attached)"

said=$(start $BPF_MAP_CREATE $ENOMEM)
equal 'no memory for a map fails the start' 1 $?
matches 'in a line that names the map and the cause' "$said" 'couic: .*couic_.*memory'
equal 'and nothing is attached then' 0 "$(attached)"

# Without links for XDP (Linux below 5.9) it attaches by netlink, and detaches at its end.
start_inside "$DIR/log" "$DIR/without" "$BPF" $BPF_LINK_CREATE $EINVAL "$COUIC" -c "$DIR/couic.toml"
daemon=$STARTED
check 'it starts on a kernel without links' wait_for 10 answers
equal 'the program is attached' 1 "$(attached)"
stop "$daemon"
equal 'and detached at the end' 0 "$(attached)"

# Without seccomp filters (CONFIG_SECCOMP_FILTER) the system calls are not limited, and that is all.
start_inside "$DIR/log.unlimited" "$DIR/without" "$(number seccomp)" -1 $ENOSYS "$COUIC" -c "$DIR/couic.toml"
daemon=$STARTED
check 'it starts on a kernel without seccomp' wait_for 10 answers
matches 'the log reports it' "$(cat "$DIR/log.unlimited")" 'WARN .*seccomp filter: .*event=not_sandboxed'
matches 'also of the attacher' "$(cat "$DIR/log.unlimited")" '^couic-attacher: .*seccomp filter'
equal 'and the program is attached' 1 "$(attached)"
stop "$daemon"

# The folder of the executable may be closed to the user that the daemon becomes.
mkdir -m 700 "$DIR/closed"
cp "$COUIC" "$DIR/closed/couic"
chmod 755 "$WORK" "$DIR"
rm -rf "$DIR/lib" "$DIR/run"
mkdir "$DIR/lib" "$DIR/run"
chown nobody:nogroup "$DIR/lib" "$DIR/run"
sed -i 's/^user = .*/user = "nobody"/; s/^group = .*/group = "nogroup"/' "$DIR/couic.toml"
start_inside "$DIR/log.closed" "$DIR/closed/couic" -c "$DIR/couic.toml"
daemon=$STARTED
check 'it starts from a folder that is closed to its user' wait_for 10 answers
equal 'and its name is as ever' couic "$(cat /proc/"$daemon"/comm)"
equal 'with the filter attached' 1 "$(attached)"
stop "$daemon"
