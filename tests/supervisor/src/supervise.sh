# Runs a program for as long as standard input stays open: sh -c SCRIPT supervisor GRACE PROGRAM [ARGUMENT...]
#
# Standard input is the lifeline: the starter holds its other end, never writes, and the kernel closes it when the starter is gone for
# whatever reason. Standard output tells the starter the program's pid, then its exit status. Standard error is the log.
# The starter puts this shell at the head of a process group of its own: signals for the starter's group (Ctrl-C, a CI system's
# timeout) don't get here, and `kill 0` reaches exactly what was started from here.

grace=$1
shift
exec 3<&0 4>&1 </dev/null >&2

exec "$@" 3<&- 4>&- &
program=$!

{
    while read -r _; do :; done
    kill -s TERM "$program"
    # A stopped program handles SIGTERM only when it runs again.
    kill -s CONT "$program"
    sleep "$grace"
    kill -s KILL "$program"
} <&3 4>&- 2>/dev/null &
exec 3<&-

# Only from here on, because the program would inherit it: a starter that is gone must not end this shell before its work is done.
trap '' PIPE

echo "$program" >&4 2>/dev/null
wait "$program"
echo "$?" >&4 2>/dev/null

# The watcher, its sleep, what the program left behind, and this shell. The watcher can't outlive the program, so it never signals a
# pid that belongs to someone else by now.
kill -s KILL 0
