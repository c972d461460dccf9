# shellcheck shell=sh
# What the shell of every question knows: `part NAME COMMAND [ARG...]`. Its output is the grammar of
# maintops.domain.answers.parts: `=NAME`, every line of the command with a space before it, `.STATUS`.
#
# compiling.py joins these lines into one, so that the line numbers in a shell's complaints are nearly the author's own:
# every line here must be able to stand before the next with a space between. Names begin with maintops_ because the
# question's own variables live beside them.
#
# The status travels behind the output, without a newline: it is what `read` finds last, whatever the command prints.
# The shell itself indents the first lines, because a `sed` costs more than most commands do; longer output gets one.
# NUL bytes are lost there: `part` is for text. The limit of memory ends a line without an end (not every shell has it).
# shellcheck disable=SC3045
part() {
  case $1 in
    *[[:cntrl:]]*) maintops_name=$(printf %s "$1" | tr '[:cntrl:]' '?') ;;
    *) maintops_name=$1 ;;
  esac;
  printf '=%s\n' "$maintops_name";
  shift;
  { "$@" && :; printf .%s "$?"; } | {
    ulimit -v 500000 2>/dev/null;
    maintops_size=0;
    while IFS= read -r maintops_line; do
      printf ' %s\n' "$maintops_line";
      maintops_size=$((maintops_size + ${#maintops_line} + 1));
      [ "$maintops_size" -lt 1000 ] ||
        exec sed -e 's/^/ /' -e '$s/^\(.*\)\(\.[0-9]\{1,3\}\)$/\1\n\2\n/' -e '$s/^ \n//';
    done;
    case $maintops_line in
      *.[0-9] | *.[0-9][0-9] | *.[0-9][0-9][0-9])
        [ "${maintops_line%.*}" ] && printf ' %s\n' "${maintops_line%.*}";
        printf '.%s\n' "${maintops_line##*.}" ;;
      ?*) printf ' %s\n' "$maintops_line" ;;
    esac;
  };
}
