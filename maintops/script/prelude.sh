# shellcheck shell=sh
# The part that every one-trip script has in common; compiling.py drops comments and indentation, sets `kit` (what
# part.sh says) and appends `begin`, one `ask` per question, and `finish`. Its stream is described in docs/frames.md.
#
# It runs as `sh -c TEXT` under dash, bash or busybox, so neither $0 nor standard input mean anything, and it writes
# no file. What it starts is counted: per question three forks of this shell, one of which becomes the command.
#
# What shellcheck is told not to say: a variable that takes the rest of a line is not used (2034); what stands unquoted
# is a list of process ids, a number or a command with its options (2046, 2086, 2013); `kit` is set elsewhere (2154);
# a shell without `ulimit -v` goes on without it (3045); what a subshell sets is meant for it alone (2030, 2031).
# shellcheck disable=SC2030,SC2031,SC2034,SC2046,SC2086,SC2013,SC2154,SC3045

# Whatever options and streams the caller's environment brought along. 3 is the answer; nothing else may write there.
set +aefuvxC
exec 3>&1 </dev/null >/dev/null 2>&1
umask 077

# First the variables that would change how shells and tools behave, then our own names: a variable that was exported
# by the user would stay exported when we assign to it, and be seen by the questions.
unset ENV BASH_ENV CDPATH IFS BASH_XTRACEFD POSIXLY_CORRECT BLOCK_SIZE BLOCKSIZE DF_BLOCK_SIZE DU_BLOCK_SIZE \
  LS_BLOCK_SIZE TIME_STYLE TZ QUOTING_STYLE GREP_OPTIONS GREP_COLOR GREP_COLORS CLICOLOR_FORCE FORCE_COLOR COLUMNS \
  LINES LS_COLORS PS_FORMAT PS_PERSONALITY SYSTEMD_LESS SYSTEMD_LOG_LEVEL LESSOPEN LESSCLOSE
unset key uid machine boot cookie room size guard kit clock others now since before ticks seen over late job carrier begin \
  ended stage text signal prey rows row pid found file rest
cd /
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}
export PATH LC_ALL=C LANG=C TERM=dumb PAGER=cat SYSTEMD_PAGER=cat SYSTEMD_COLORS=0 LESSSECURE=1

# quit STATUS
quit() {
  kill $clock
  wait $clock
  exit "$1"
}

# say MARK [MARK]: prints marks, in one piece (each piece is a packet to encrypt and to read). One that cannot be
# written means that nobody listens any more: the script ends. But while a slow listener made it wait, the clock may
# have interrupted it (bash and busybox give up then): that one is tried again.
say() {
  before=$ticks
  until printf '\n#%s %s\n' "$key" "$1" ${2:+"$key" "$2"} >&3; do
    [ "$ticks" -gt "$before" ] || quit 1
    before=$ticks
  done
}

# Sets `now`: seconds since boot where the kernel says it, ticks of our clock otherwise. No process is started.
look() {
  read -r now rest </proc/uptime || now=$ticks
}

# Sets `text` to 12 or more characters that nobody can guess.
draw() {
  read -r text </proc/sys/kernel/random/uuid || text=$(mktemp -u XXXXXXXXXXXXXXXXXXXX) || text=$$
  text=${text##*-}
}

# The clock: one signal a second to this shell, for as long as it lives. A shell that waits wakes up and looks around.
# (`tick 3>&-` would not do: dash keeps a copy of what it closes for a function, and the answer would never end.)
tick() {
  exec 3>&-
  # dash and busybox end a shell that cannot fork; without a clock nothing would ever be ended any more.
  trap 'kill -TERM $$' EXIT
  # A child that is still this shell would catch TERM, and sleep on as somebody else.
  trap 'trap - EXIT; kill -KILL $!; wait $!; exit' TERM
  while :; do
    sleep 1 &
    wait $!
    case $? in 126 | 127) break ;; esac
    kill -ALRM $$ || break
  done
  trap - EXIT
}

# await PID: waits for a child and sets `ended` to its status; fails where only the clock ended the waiting. The process
# is a better witness than the status of `wait`: it stays until it was waited for, and bash, interrupted while a child
# ends, can miss that for ever.
await() {
  wait "$1"
  ended=$?
  ! kill -0 "$1"
}

# begin DIGEST
begin() {
  key=$1
  ticks=0
  renice -n 10 -p $$
  ionice -c 3 -p $$
  room=$(ulimit -S -v)
  # Without /proc a question's processes cannot be found: then `timeout`, if there is one, has to end it.
  [ -r /proc/self/environ ] || { command -v timeout && guard=timeout; }
  draw
  cookie=$text
  size=100000
  while read -r text now rest; do
    case $text in
      Uid:) uid=${rest%%[!0-9]*} ;;
      VmSize:)
        size=$now
        break
        ;;
    esac
  done </proc/self/status
  read -r machine </etc/machine-id || read -r machine </var/lib/dbus/machine-id
  case $machine in *[!0-9a-f]* | '') machine=- ;; esac
  read -r boot </proc/sys/kernel/random/boot_id
  uid=${uid:-$(id -u)}
  # Whom the file does not know, another directory may.
  while IFS=: read -r row rest pid file; do
    [ "$pid" = "$uid" ] && break
  done </etc/passwd
  [ "$pid" = "$uid" ] || row=$(id -un)
  draw
  look
  say "h 3 ${uid:--1} $machine ${boot:--} $now $text $row"
  key=$text
  trap 'ticks=$((ticks + 1))' ALRM
  # Before the other traps: a clock that is ended before it has a trap of its own would have ours, and go on.
  tick &
  clock=$!
  others=$clock
  # Whoever ends this shell (sudo hands signals on) ends what it started.
  trap 'hunt KILL $$; quit 1' HUP INT TERM
  trap 'quit 1' PIPE
}

# ask NUMBER SECONDS BYTES CHECK HOW TEXT
#
# HOW: `words` for a command that this shell can become, `sh` for what needs a shell, `kit` for what needs `part` too.
# A job of two: the left one starts the question, the right one hands on what it says.
ask() {
  ticks=0
  seen=0
  over=
  late=0
  carrier=
  [ "$others" = "$clock" ] || read -r others </proc/$$/task/$$/children
  since=$now
  carry "$@" | hand "$@" &
  job=$!
  until settled; do tend "$@"; done
  text=$ended
  look
  # What does not hold the output, and would not hear TERM, is still there.
  [ "$late" = 0 ] || {
    chase KILL "$1" &
    pid=$!
    ticks=0
    until await $pid || [ "$ticks" -gt 2 ]; do :; done
    others="$others $pid"
    look
  }
  case $text/$late/$now in
    0/0/"${since%.*}".*) ;;
    [03]/*) say "e $1 $now $late" ;;
    *) say "b $1 $3 $since $4" "e $1 $now $late" ;;
  esac
}

# carry NUMBER SECONDS BYTES CHECK HOW TEXT: starts the question, keeps an excerpt of what it complains about (whatever
# it says beyond the limit of memory ends this shell), and writes status and excerpt behind the output, in one piece.
carry() {
  ulimit -S -v $((size + 100000))
  exec 6>&1
  text=$(
    ulimit -S -v "$room"
    exec 2>&1 >&6 3>&- 6>&-
    become "$1" "$2" "$5" "$6"
  )
  printf '\n#%s s %s\n%.1999s\n#%s x\n' "$key" $? "$text" "$key"
}

# hand NUMBER SECONDS BYTES CHECK: hands on what it reads, with the mark of its beginning, cut where it is too long; 2200
# bytes are for what stands behind the output. What is short goes in one piece, with the mark of its end if it took no
# second: nothing was ended at its timeout then. Otherwise that is for the script's shell to say; 3 means that it has to.
hand() {
  begin="$1 $3 $since $4"
  text=
  # Told to end, it hands on what it has.
  trap 'tell; exit 3' TERM
  # A read that is interrupted may leave the last line where it is.
  while row=; IFS= read -r row; do
    text="$text$row
"
    [ ${#text} -lt 500 ] || {
      trap - TERM
      printf "\n#%s b %s\n%.$(($3 + 2200))s" "$key" "$begin" "$text" >&3
      room=$(($3 + 2200 - ${#text}))
      [ "$room" -le 0 ] || head -c "$room" >&3 || dd bs=1 count="$room" >&3
      exit 3
    }
  done
  look
  case $now in
    "${since%.*}".*) tell "$key" "$1 $now" ;;
    *) tell && exit 3 ;;
  esac
}

# tell [KEY END]: prints what `hand` has read, and the mark of its end.
tell() {
  printf "\n#%s b %s\n%s${1:+\n#%s e %s 0\n}" "$key" "$begin" "$text$row" "$@" >&3
}

# Whether the job has ended, all of it: bash waits for the last process of a pipeline alone, and only the others know
# whether an interrupted wait has seen them both. Where the last one read to the end (0) the other has ended before.
settled() {
  await $job || return
  [ "$ended" = 0 ] && return
  [ "$carrier" ] || {
    text=
    read -r text </proc/$$/task/$$/children
    remember "${text##* }"
  }
  kill -0 "$carrier" || return 0
  # The last process of a job is what dash and busybox know it by; bash knows each.
  [ "$ticks" -gt "$seen" ] || wait $job "$carrier"
  false
}

# become NUMBER SECONDS HOW TEXT: the question takes this shell's place.
become() {
  export "MAINTOPS_ASK=$cookie.$1."
  case $3 in
    words) eval "exec ${guard:+$guard -s KILL $(($2 + 2))} $4" ;;
    kit) exec ${guard:+$guard -s KILL $(($2 + 2))} sh -c "$kit
$4" ;;
    *) exec ${guard:+$guard -s KILL $(($2 + 2))} sh -c "$4" ;;
  esac
}

# remember PID: sets `carrier` to the youngest child beside the job's last process. A child that is older than the job, or
# none at all, means that the carrier is gone.
remember() {
  case " $others " in
    *" $1 "*) carrier=- ;;
    *) carrier=${1:--} ;;
  esac
}

# Whether the question's own process has ended although the job has not: something holds a pipe. Where the kernel does
# not list children nobody knows.
has_ended() {
  [ "$carrier" ] || {
    text=
    read -r text </proc/$$/task/$$/children
    case " $text " in
      *" $job "*)
        text=" ${text%"$job"*}"
        text=${text% }
        remember "${text##* }"
        ;;
      *) return 1 ;;
    esac
  }
  pid=
  read -r pid rest </proc/$carrier/task/$carrier/children
  while read -r text rest; do
    [ "$text" = State: ] && break
  done </proc/$pid/status
  case $pid/$rest in /* | */Z*) ;; *) false ;; esac
}

# is_endless BYTES: whether the right side of the job reads a line without an end: it has grown too large, or, as NULs
# do not make it grow, has worked for too long (in 1/100 s; it needs about one for 8000 bytes).
is_endless() {
  text=
  while read -r text pid rest; do
    [ "$text" = VmSize: ] && break
  done </proc/$job/status
  [ "$text" = VmSize: ] || return
  [ "$pid" -gt $((size + 16000 + $1 / 256)) ] && return
  row=
  read -r row </proc/$job/stat
  row=${row##*") "}
  # STATE PARENT GROUP SESSION TTY TPGID FLAGS MINFLT CMINFLT MAJFLT CMAJFLT UTIME STIME
  set -- "$1" $row
  [ $((${13:-0} + ${14:-0})) -gt $((500 + $1 / 8000)) ]
}

# tend NUMBER SECONDS BYTES CHECK: called whenever waiting was interrupted; acts once a second.
tend() {
  [ "$ticks" -gt "$seen" ] || return
  seen=$ticks
  is_endless "$3" && {
    late=2
    kill -KILL $job
  }
  if has_ended; then over=${over:-$ticks}; else over=; fi
  stage=$((ticks - $2 - 1))
  case $stage in
    -*)
      # The question ended a while ago, but something that it left behind holds its output open.
      [ "$over" ] || return
      case $((ticks - over)) in
        0) ;;
        1) set_on TERM "$1" ;;
        *) set_on KILL "$1" ;;
      esac
      ;;
    0)
      [ "$over" ] || [ "$late" = 2 ] || late=1
      set_on TERM "$1"
      ;;
    [1-3])
      [ "$over" ] || [ "$late" = 2 ] || late=1
      set_on KILL "$1"
      ;;
    [4-7]) ;;
    8) kill $job ;;
    9)
      # Something out of reach (in the middle of I/O that never ends, or another user's) holds the output open: now
      # the machinery itself goes.
      [ "$over" ] || [ "$late" = 2 ] || late=1
      hunt KILL $$
      ;;
    *)
      look
      say "b $1 $3 $since $4" "e $1 $now 3"
      quit 1
      ;;
  esac
}

# set_on SIGNAL NUMBER: starts a chase that nobody waits for, and that nobody is to take for a part of the job.
set_on() {
  chase "$1" "$2" &
  others="$others $!"
}

# chase SIGNAL NUMBER, as a process of its own: reading the environment of a sick process can take forever.
chase() {
  exec 3>&-
  hunt "$1" $(trace "$2")
}

# trace NUMBER: prints the processes that carry the question's cookie in their environment, wherever they went.
trace() {
  for file in $(grep -ls "$cookie.$1[.]" /proc/[0-9]*/environ); do
    file=${file%/environ}
    echo "${file#/proc/}"
  done
}

# hunt SIGNAL PID...: ends these processes and all that descends from them; never this shell and never its clock.
hunt() {
  signal=$1
  shift
  [ $# -gt 0 ] || return
  prey=" $* "
  rows=$(grep -s . /proc/[0-9]*/stat /dev/null)
  set -f
  IFS='
'
  found=1
  while [ "$found" ]; do
    found=
    for row in $rows; do
      # /proc/PID/stat:PID (NAME) STATE PARENT ...; the name may hold anything, newlines too, so that only what grep
      # puts in front is to be believed. The rest holds no bracket.
      pid=${row#/proc/}
      pid=${pid%%/*}
      row=${row##*") "}
      row=${row#* }
      case $prey in
        *" $pid "*) ;;
        *" ${row%% *} "*)
          [ "$pid" = "$clock" ] || {
            prey="$prey$pid "
            found=1
          }
          ;;
      esac
    done
  done
  set +f
  unset IFS
  kill "-$signal" ${prey#" $$ "}
}

# finish COUNT
finish() {
  say "z $1"
  quit 0
}
