# The first process of a container does not end on SIGTERM unless it says so.
/bin/busybox httpd -f -p 8000 -h /www &
trap 'kill $!; exit 0' TERM
wait
