using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Couic.Logging.Abstractions;
using Couic.Names;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Peering;

/// <summary>
/// Sends requests over HTTP/1.1, with TLS where the settings of the peer say so; one keep-alive connection per peer.
/// </summary>
internal sealed class HttpPeerTransport(string product, HostResolver names, ILogger log) : IPeerTransport, IDisposable
{
    private readonly ConcurrentDictionary<PeerSettings, Peer> _peers = new();

    public void Post(PeerRequest request) => _ = RunAsync(request);

    public void AwaitReachable(PeerSettings peer, Action<bool> reachable) => _ = AwaitAsync(peer, reachable);

    public void Forget(PeerSettings peer)
    {
        if (_peers.TryRemove(peer, out Peer? known))
        {
            known.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (PeerSettings peer in _peers.Keys)
        {
            Forget(peer);
        }
    }

    private Peer Of(PeerSettings settings) => _peers.GetOrAdd(settings, static (s, own) => new Peer(s, own.Product, own.Names), (Product: product, Names: names));

    private async Task RunAsync(PeerRequest request)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // never calls back from inside
        PeerAnswer answer = await SendAsync(request).ConfigureAwait(false);
        try
        {
            request.Done(answer);
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.PeerRequest, log, e);
        }
    }

    /// <summary>Always returns an answer: a session waits for it without a time limit.</summary>
    private async Task<PeerAnswer> SendAsync(PeerRequest request)
    {
        try
        {
            InternalErrors.Enter(Place.PeerRequest);
            return await Of(request.Peer).SendAsync(request).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.PeerRequest, log, e);
            return PeerFailures.Failed(PeerFailure.Unreachable, "the request failed on this side");
        }
    }

    /// <summary>Tries again after an exception: a session that is never called back would stay silent forever.</summary>
    private async Task AwaitAsync(PeerSettings settings, Action<bool> reachable)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        bool isCalled = false;
        while (!isCalled)
        {
            try
            {
                InternalErrors.Enter(Place.PeerProbe);
                Peer peer = Of(settings);
                bool wasAway = await peer.Connector.WaitUntilReachableAsync(peer.Ended).ConfigureAwait(false);
                isCalled = true;
                reachable(wasAway);
            }
            catch (OperationCanceledException)
            {
                return; // the peer was removed from the configuration
            }
            catch (Exception e)
            {
                InternalErrors.Caught(Place.PeerProbe, log, e);
                await Task.Delay(PeerConnector.ProbeInterval).ConfigureAwait(false);
            }
        }
    }

    /// <summary>
    /// The HTTP client of one peer. A TLS failure discards it, because certificates on disk may have been renewed.
    /// </summary>
    private sealed class Peer(PeerSettings settings, string product, HostResolver names) : IDisposable
    {
        private const int MaxHeadKilobytes = 32;
        private const int MaxEchoBytes = 1024 * 1024;

        private readonly CancellationTokenSource _end = new();
        private HttpClient? _client;
        private string? _refusal;
        private long _nextTlsProbe;
        private bool _speaksTls;

        public PeerConnector Connector { get; } = new(settings, names);

        public CancellationToken Ended => _end.Token;

        public async Task<PeerAnswer> SendAsync(PeerRequest request)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
            stop.CancelAfter(PeeringEngine.RequestLimit);
            Task<bool> watch = WatchAsync(stop);
            try
            {
                return await ExchangeAsync(request, stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return watch.IsCompletedSuccessfully && watch.Result
                    ? PeerFailures.Failed(PeerFailure.Unreachable, "the path was cut while waiting for the answer")
                    : PeerFailures.Failed(PeerFailure.TimedOut, "no answer within 5 s");
            }
            catch (Exception fault)
            {
                PeerAnswer answer = PeerFailures.Of(fault);
                if (answer.Failure == PeerFailure.Tls)
                {
                    answer = Interlocked.Exchange(ref _refusal, null) is { } refusal ? answer with { Detail = refusal } : answer;
                    Interlocked.Exchange(ref _client, null)?.Dispose();
                }

                return await ExplainAsync(answer).ConfigureAwait(false);
            }
            finally
            {
                // The watch uses the source, so it ends before the source is disposed.
                await stop.CancelAsync().ConfigureAwait(false);
                await ((Task)watch).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        /// <summary>
        /// A TLS port answers plain HTTP in many ways, and rarely with a clear error. So the port is probed, at most every 10
        /// s.
        /// </summary>
        private async Task<PeerAnswer> ExplainAsync(PeerAnswer answer)
        {
            bool isOddEnd = answer.Detail is PeerFailures.NoHttp or PeerFailures.Ended or PeerFailures.Reset or PeerFailures.Broke;
            if (settings.Tls || !isOddEnd)
            {
                return answer;
            }

            if (Environment.TickCount64 >= _nextTlsProbe)
            {
                _speaksTls = await SpeaksTlsAsync().ConfigureAwait(false);
                _nextTlsProbe = Environment.TickCount64 + 10_000;
            }

            return _speaksTls ? answer with { Detail = answer.Detail + " (that port speaks TLS: set \"tls = true\")" } : answer;
        }

        /// <summary>Starts a handshake and aborts it at the certificate; no request is sent over it.</summary>
        private async Task<bool> SpeaksTlsAsync()
        {
            bool hasCertificate = false;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
            limit.CancelAfter(PeerConnector.ConnectLimit);
            try
            {
                using Socket socket = await Connector.ConnectAsync(limit.Token).ConfigureAwait(false);
                using var tls = new SslStream(new NetworkStream(socket), leaveInnerStreamOpen: false, (_, certificate, _, _) =>
                {
                    hasCertificate = certificate is not null;
                    return false;
                });
                await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = settings.Host }, limit.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is AuthenticationException or IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The callback has already set the result.
            }

            return hasCertificate;
        }

        public void Dispose()
        {
            _end.Cancel();
            _client?.Dispose();
        }

        private async Task<PeerAnswer> ExchangeAsync(PeerRequest request, CancellationToken cancel)
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, UriOf(request));
            bool isJobs = request.Verb == PeerVerb.Jobs;
            message.Content = new ReadOnlyMemoryContent(request.Body);
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(isJobs ? "application/json" : "application/octet-stream");
            if (isJobs)
            {
                message.Headers.TryAddWithoutValidation("Prefer", "return=minimal");
            }

            using HttpResponseMessage answer = await (_client ??= CreateClient())
                .SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancel).ConfigureAwait(false);
            int limit = isJobs ? MaxEchoBytes : SyncMessage.MaxAnswerBytes;
            byte[]? body = await ReadAsync(answer.Content, limit, cancel).ConfigureAwait(false);
            return body is null
                ? PeerFailures.Failed(PeerFailure.InvalidResponse, $"its answer is larger than {limit} bytes")
                : new PeerAnswer(PeerFailure.None, (int)answer.StatusCode, body);
        }

        private static async Task<byte[]?> ReadAsync(HttpContent content, int limit, CancellationToken cancel)
        {
            if (content.Headers.ContentLength > limit)
            {
                return null;
            }

            using Stream stream = await content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
            var body = new byte[(int)Math.Min(content.Headers.ContentLength ?? 4_096, limit) + 1];
            int length = 0;
            while (true)
            {
                int read = await stream.ReadAsync(body.AsMemory(length), cancel).ConfigureAwait(false);
                length += read;
                if (read == 0)
                {
                    return body[..length];
                }

                if (length > limit)
                {
                    return null;
                }

                if (length == body.Length)
                {
                    Array.Resize(ref body, Math.Min(2 * length, limit + 1));
                }
            }
        }

        /// <summary>
        /// While an answer is late, probes the path. When a path that was interrupted works again, the request is cancelled and
        /// sent again, instead of waiting for TCP to retransmit. Returns whether that happened.
        /// </summary>
        private async Task<bool> WatchAsync(CancellationTokenSource request)
        {
            try
            {
                while (true)
                {
                    await Task.Delay(PeerConnector.ProbeInterval, request.Token).ConfigureAwait(false);
                    if (await Connector.WaitUntilReachableAsync(request.Token).ConfigureAwait(false))
                    {
                        break;
                    }
                }
            }
            catch (OperationCanceledException)
            {
                return false;
            }

            _ = request.CancelAsync();
            return true;
        }

        private Uri UriOf(PeerRequest request) => new UriBuilder(
            settings.Tls ? Uri.UriSchemeHttps : Uri.UriSchemeHttp, settings.Host, settings.Port,
            $"/v1/{request.Policy.Name()}/peer{(request.Verb == PeerVerb.Sync ? "/sync" : string.Empty)}").Uri;

        private HttpClient CreateClient()
        {
            var handler = new SocketsHttpHandler
            {
                AllowAutoRedirect = false, // it would carry the token elsewhere
                UseCookies = false,
                UseProxy = false,
                MaxConnectionsPerServer = 1,
                MaxResponseHeadersLength = MaxHeadKilobytes,
                PooledConnectionLifetime = TimeSpan.FromMinutes(5), // the address of a name may change
                PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
                MaxResponseDrainSize = 0,
                ConnectCallback = async (_, cancel) => new NetworkStream(await Connector.ConnectAsync(cancel).ConfigureAwait(false), ownsSocket: true),
            };
            if (settings.Tls)
            {
                handler.SslOptions = PeerTls.OptionsFor(settings, refusal => _refusal = refusal);
            }

            var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
            client.DefaultRequestVersion = System.Net.HttpVersion.Version11;
            client.DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact;
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", settings.Token.ToString("D"));
            client.DefaultRequestHeaders.UserAgent.ParseAdd(product);
            return client;
        }
    }
}

/// <summary>Opens TCP connections to one peer and probes whether it can be reached. Thread-safe.</summary>
internal sealed class PeerConnector(PeerSettings peer, HostResolver names)
{
    public static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(2);

    /// <summary>Between two probes while a peer is unreachable or an answer is late.</summary>
    public static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(250);

    // linux/tcp.h
    private const int IpProtoTcp = 6;
    private const int TcpUserTimeout = 18;

    /// <summary>A connected socket whose sent data must be acknowledged in time.</summary>
    /// <exception cref="UnresolvedHostException">The host is a name, and no address of it is known.</exception>
    public async ValueTask<Socket> ConnectAsync(CancellationToken cancel)
    {
        IReadOnlyList<IPAddress> addresses = await names.ResolveAsync(peer.Host, ConnectLimit, cancel).ConfigureAwait(false);
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        Socket socket = await HostConnector.ConnectAsync(addresses, peer.Port, ConnectLimit, cancel).ConfigureAwait(false);
        try
        {
            SetUserTimeout(socket, System.Diagnostics.Stopwatch.GetElapsedTime(start));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Tries to connect every 250 ms, without waiting for the attempts before, until one succeeds. A probe is a TCP handshake
    /// only; requests keep their back-off.
    /// </summary>
    /// <returns>Whether an attempt that began earlier failed or is still pending: the path was interrupted.</returns>
    public async Task<bool> WaitUntilReachableAsync(CancellationToken cancel)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var pending = new List<Task<bool>>();
        bool anyFailed = false;
        try
        {
            while (true)
            {
                cancel.ThrowIfCancellationRequested();
                pending.Add(ProbeAsync(end.Token));
                var pause = Task.Delay(ProbeInterval, end.Token);
                while (await Task.WhenAny([pause, .. pending]).ConfigureAwait(false) is Task<bool> probe)
                {
                    if (await probe.ConfigureAwait(false))
                    {
                        return anyFailed || pending[0] != probe;
                    }

                    anyFailed = true;
                    pending.Remove(probe);
                }
            }
        }
        finally
        {
            await end.CancelAsync().ConfigureAwait(false);
        }
    }

    private async Task<bool> ProbeAsync(CancellationToken cancel)
    {
        try
        {
            using Socket socket = await ConnectAsync(cancel).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is SocketException or UnresolvedHostException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>
    /// Without this timeout the kernel retransmits into an interrupted path for a quarter of an hour at growing intervals; the
    /// path could work for seconds before the next retransmission.
    /// </summary>
    private static void SetUserTimeout(Socket socket, TimeSpan roundTrip)
    {
        int milliseconds = (int)Math.Clamp(roundTrip.TotalMilliseconds * 4, 750, 5_000);
        socket.SetRawSocketOption(IpProtoTcp, TcpUserTimeout, BitConverter.GetBytes(milliseconds));
    }
}

/// <summary>TLS options for a peer: its certificate is always verified, by its fingerprint, or by name and authority.</summary>
internal static class PeerTls
{
    /// <exception cref="System.Security.Cryptography.CryptographicException">A file does not hold a certificate or key.</exception>
    /// <param name="refuse">Called with the cause when the fingerprint is another one.</param>
    public static SslClientAuthenticationOptions OptionsFor(PeerSettings peer, Action<string> refuse)
    {
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = peer.Host,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
        if (peer.Fingerprint is { } expected)
        {
            options.RemoteCertificateValidationCallback = (_, certificate, _, _) =>
            {
                string actual = certificate is null ? "none" : "sha256:" + Convert.ToHexStringLower(SHA256.HashData(certificate.GetRawCertData()));
                if (actual != expected)
                {
                    refuse($"TLS failed: its certificate has fingerprint {actual}, and {expected} is expected");
                }

                return actual == expected;
            };
        }

        if (peer.CaFile is { } authorities)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(authorities);
            options.CertificateChainPolicy = policy;
        }

        if (peer.CertFile is { } certificate)
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(certificate);
            options.ClientCertificateContext = SslStreamCertificateContext.Create(
                X509Certificate2.CreateFromPemFile(certificate, peer.KeyFile), chain, offline: true);
        }

        return options;
    }
}
