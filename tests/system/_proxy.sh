# Sourced after _daemon.sh: Debian's nginx with the configuration files of pkg/nginx, in the daemon's namespace.
#   start_proxy FILE...   paths, name and certificate of each file are those of the test

make_certificate() {
  [ -e "$DIR/tls/couic.crt" ] && return
  mkdir -p "$DIR/tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=couic1.couic.tld' \
    -addext 'subjectAltName=DNS:couic1.couic.tld,DNS:localhost,IP:127.0.0.1' \
    -keyout "$DIR/tls/couic.key" -out "$DIR/tls/couic.crt" 2>/dev/null
}

start_proxy() {
  local file
  make_certificate
  mkdir -p "$DIR/nginx/conf.d"
  for file in "$@"; do
    sed -e "s:/run/couic/couic.sock:$SOCKET:" -e "s:/etc/nginx/tls:$DIR/tls:" "$file" >"$DIR/nginx/conf.d/$(basename "$file")"
  done

  cat >"$DIR/nginx/nginx.conf" <<CONF
user root;
daemon off;
pid $DIR/nginx/pid;
error_log $DIR/nginx/error.log;
events {}
http {
    access_log off;
    client_body_temp_path $DIR/nginx/body;
    proxy_temp_path $DIR/nginx/proxy;
    fastcgi_temp_path $DIR/nginx/fastcgi;
    uwsgi_temp_path $DIR/nginx/uwsgi;
    scgi_temp_path $DIR/nginx/scgi;
    include $DIR/nginx/conf.d/*.conf;
}
CONF
  start_inside "$DIR/nginx/out" nginx -p "$DIR/nginx" -c "$DIR/nginx/nginx.conf"
  wait_for 10 test -s "$DIR/nginx/pid"
}
