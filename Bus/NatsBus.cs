using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using Couic.Logging.Abstractions;
using Couic.Names;
using Microsoft.Extensions.Logging;
using NATS.Client.Core;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;

namespace Couic.Bus;

/// <summary>
/// A bus on NATS JetStream: a stream that keeps the last message of each subject. One connection at a time, to one server at a time; after
/// any fault it is given up, and the next server is tried. So renewed certificates and credentials are read, and no state of the client
/// library outlives a fault. Thread-safe.
/// </summary>
internal sealed class NatsBus(BusSettings settings, HostResolver names, string product, TimeProvider time, ILogger log) : IBus
{
    /// <summary>Messages that the server sends ahead of what was handled.</summary>
    private const int MaxAhead = 2_000;

    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(250), LastRetry = TimeSpan.FromSeconds(5);

    /// <summary>Limit of one request to the server, and of the opening of a connection.</summary>
    private static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(5);

    private readonly string[] _servers = settings.Servers.Split(',');
    private readonly string _prefix = NatsStream.RulePrefix(settings.Name);
    private readonly CancellationTokenSource _end = new();
    private readonly Backoff _backoff = new(FirstRetry, LastRetry, Random.Shared);
    private readonly LogClock _clock = new(time);
    private NatsJSContext? _stream;
    private CancellationTokenSource? _reading;
    private volatile bool _isReopening;

    public DateTimeOffset Now => _clock.Now;

    public void Start(IBusClient client) => _ = RunAsync(client);

    public void Publish(IReadOnlyList<BusValue> values, Action<BusReceipts> done) => _ = PublishAsync(values, done);

    public void Delete(IReadOnlyList<ulong> sequences, Action<int> done) => _ = DeleteAsync(sequences, done);

    public void Reopen()
    {
        _isReopening = true;
        Volatile.Read(ref _reading)?.Cancel();
    }

    public void Dispose() => _end.Cancel();

    private async Task RunAsync(IBusClient client)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        for (int attempt = Random.Shared.Next(_servers.Length); !_end.IsCancellationRequested; attempt++)
        {
            string server = _servers[attempt % _servers.Length];
            string cause = "the connection ended";
            try
            {
                InternalErrors.Enter(Place.Bus);
                cause = await RunConnectionAsync(server, client).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                cause = NatsFailures.Words(e) ?? Unexpected(e);
            }

            if (!_end.IsCancellationRequested)
            {
                InternalErrors.Run(Place.Bus, log, () => client.OnClosed($"{NatsFailures.HostOf(server)}: {cause}"));
                await Task.Delay(_backoff.Next(), _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private string Unexpected(Exception e)
    {
        InternalErrors.Caught(Place.Bus, log, e);
        return "unexpected fault of this node (see its log)";
    }

    /// <summary>Uses one connection until it ends.</summary>
    /// <returns>Why it ended.</returns>
    private async Task<string> RunConnectionAsync(string server, IBusClient client)
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        var sockets = new NatsSockets(names);
        var connection = new NatsConnection(NatsStream.Options(settings, server, sockets, product) with { PingInterval = KeepAlive });
        string? error = null;
        connection.ConnectionDisconnected += (_, _) => CancelAsync(gone);
        connection.ServerError += (_, args) =>
        {
            error = args.Error;
            return ValueTask.CompletedTask;
        };
        try
        {
            await connection.ConnectAsync().AsTask().WaitAsync(RequestLimit, gone.Token).ConfigureAwait(false);
            var context = new NatsJSContext(connection);
            await NatsStream.EnsureAsync(context, settings, gone.Token).ConfigureAwait(false);
            Volatile.Write(ref _stream, context);
            while (!gone.IsCancellationRequested)
            {
                await ReadAsync(context, server, client, gone.Token).ConfigureAwait(false);
            }

            return error ?? "the connection was lost";
        }
        catch (NatsException) when (sockets.Fault is { } fault && NatsFailures.Words(fault) is { } cause)
        {
            return cause;
        }
        catch (Exception) when (!gone.IsCancellationRequested && NatsFailures.OfScheme(server, connection.ServerInfo) is not null)
        {
            return NatsFailures.OfScheme(server, connection.ServerInfo)!;
        }
        catch (Exception e) when (gone.IsCancellationRequested && e is not OutOfMemoryException)
        {
            return error ?? "the connection was lost";
        }
        finally
        {
            Volatile.Write(ref _stream, null);
            await connection.DisposeAsync().AsTask().WaitAsync(RequestLimit, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async ValueTask CancelAsync(CancellationTokenSource source)
    {
        try
        {
            await source.CancelAsync().ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            // The connection was given up before.
        }
    }

    /// <summary>Opens the log and reads it until the connection ends or another place to read from is asked for.</summary>
    private async Task ReadAsync(NatsJSContext context, string server, IBusClient client, CancellationToken cancel)
    {
        _isReopening = false;
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Volatile.Write(ref _reading, reading);
        try
        {
            BusLog state = await StateAsync(context, server, reading.Token).ConfigureAwait(false);
            ulong from = client.OnOpened(state);
            INatsJSConsumer consumer = await NatsStream.CreateReaderAsync(context, settings.Name, from, _clock, reading.Token).ConfigureAwait(false);
            _backoff.Reset();
            Task poll = PollAsync(context, server, consumer.Info.Name, client, reading);
            try
            {
                await DeliverAsync(consumer, client, reading.Token).ConfigureAwait(false);
            }
            finally
            {
                await reading.CancelAsync().ConfigureAwait(false);
                await poll.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            if (poll.IsFaulted)
            {
                await poll.ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_isReopening && !cancel.IsCancellationRequested)
        {
            // The caller opens the log again.
        }
        finally
        {
            Volatile.Write(ref _reading, null);
        }
    }

    private async Task DeliverAsync(INatsJSConsumer consumer, IBusClient client, CancellationToken cancel)
    {
        var batch = new List<BusMessage>(BusLimits.MaxBatch);
        ulong pending = consumer.Info.NumPending, expected = 1;
        client.OnMessages(batch, pending);
        var options = new NatsJSConsumeOpts { MaxMsgs = MaxAhead, ThresholdMsgs = MaxAhead / 2, Expires = TimeSpan.FromSeconds(30), IdleHeartbeat = KeepAlive };
        IAsyncEnumerator<INatsJSMsg<byte[]?>> messages = consumer.ConsumeAsync(ValueReader.Instance, options, cancel).GetAsyncEnumerator(cancel);
        await using (messages.ConfigureAwait(false))
        {
            while (true)
            {
                ValueTask<bool> next = messages.MoveNextAsync();
                if (batch.Count > 0 && (!next.IsCompleted || batch.Count >= BusLimits.MaxBatch))
                {
                    client.OnMessages(batch, pending);
                    batch.Clear();
                }

                if (!await next.ConfigureAwait(false))
                {
                    cancel.ThrowIfCancellationRequested();
                    throw new NatsException("the server ended the consumer");
                }

                INatsJSMsg<byte[]?> message = messages.Current;
                if (message.Metadata is not { } facts || facts.Sequence.Consumer != expected++)
                {
                    throw new NatsException("messages are missing"); // read again after the last one
                }

                pending = facts.NumPending;
                _clock.Saw(facts.Timestamp);
                if (message.Subject.StartsWith(_prefix, StringComparison.Ordinal))
                {
                    batch.Add(new BusMessage(message.Subject[_prefix.Length..], message.Error is null ? message.Data : null, facts.Sequence.Stream, facts.Timestamp));
                }
            }
        }
    }

    /// <summary>Asks for the state of stream and consumer from time to time; a fault ends the reading.</summary>
    private async Task PollAsync(NatsJSContext context, string server, string consumer, IBusClient client, CancellationTokenSource reading)
    {
        try
        {
            while (true)
            {
                await Task.Delay(BusLimits.PollInterval * (0.75 + (Random.Shared.NextDouble() / 2)), time, reading.Token).ConfigureAwait(false);
                BusLog state = await StateAsync(context, server, reading.Token).ConfigureAwait(false);
                INatsJSConsumer found = await context.GetConsumerAsync(settings.Name, consumer, reading.Token).ConfigureAwait(false);
                client.OnPolled(state, found.Info.NumPending);
            }
        }
        catch (Exception) when (!reading.IsCancellationRequested)
        {
            await reading.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task<BusLog> StateAsync(NatsJSContext context, string server, CancellationToken cancel)
    {
        StreamInfo info = (await context.GetStreamAsync(settings.Name, cancellationToken: cancel).ConfigureAwait(false)).Info;
        return new BusLog(
            NatsFailures.HostOf(server), info.Created.ToString("O", CultureInfo.InvariantCulture), info.State.LastSeq, (ulong)Math.Max(0, info.State.Messages));
    }

    private async Task PublishAsync(IReadOnlyList<BusValue> values, Action<BusReceipts> done)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var sequences = new ulong[values.Count];
        string? fault = null;
        try
        {
            InternalErrors.Enter(Place.Bus);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
            limit.CancelAfter(BusLimits.PublishLimit);
            NatsJSContext? context = Volatile.Read(ref _stream);
            var pending = new Task<NatsResult<PubAckResponse>>[context is null ? 0 : values.Count];
            for (int i = 0; i < pending.Length; i++)
            {
                pending[i] = context!.TryPublishAsync(
                    _prefix + values[i].Key, values[i].Value, ValueWriter.Instance, cancellationToken: limit.Token).AsTask();
            }

            fault = context is null ? "not connected" : null;
            for (int i = 0; i < pending.Length; i++)
            {
                string? cause = await AcknowledgedAsync(pending[i], i, sequences).ConfigureAwait(false);
                fault ??= cause;
            }
        }
        catch (Exception e)
        {
            fault ??= NatsFailures.Words(e) ?? Unexpected(e);
        }

        InternalErrors.Run(Place.Bus, log, () => done(new BusReceipts(sequences, fault)));
    }

    /// <returns>Why the value was not stored; null when it was.</returns>
    private async Task<string?> AcknowledgedAsync(Task<NatsResult<PubAckResponse>> publication, int index, ulong[] sequences)
    {
        try
        {
            NatsResult<PubAckResponse> result = await publication.ConfigureAwait(false);
            if (!result.Success)
            {
                return NatsFailures.Words(result.Error) ?? Unexpected(result.Error);
            }

            if (result.Value.Error is { } error)
            {
                return error.Description;
            }

            if (result.Value.Stream != settings.Name)
            {
                return $"stream \"{result.Value.Stream}\" takes the subjects of \"{settings.Name}\"";
            }

            sequences[index] = result.Value.Seq;
            return null;
        }
        catch (Exception e)
        {
            return NatsFailures.Words(e) ?? Unexpected(e);
        }
    }

    private async Task DeleteAsync(IReadOnlyList<ulong> sequences, Action<int> done)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        int deleted = 0;
        try
        {
            InternalErrors.Enter(Place.Bus);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
            limit.CancelAfter(BusLimits.PublishLimit);
            NatsJSContext? context = Volatile.Read(ref _stream);
            for (; context is not null && deleted < sequences.Count; deleted++)
            {
                await NatsStream.DeleteAsync(context, settings.Name, sequences[deleted], limit.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            _ = NatsFailures.Words(e) ?? Unexpected(e); // the rest is deleted another time
        }

        InternalErrors.Run(Place.Bus, log, () => done(deleted));
    }

    private sealed class ValueReader : INatsDeserialize<byte[]?>
    {
        public static readonly ValueReader Instance = new();

        public byte[]? Deserialize(in ReadOnlySequence<byte> buffer) => buffer.Length > BusLimits.MaxValueBytes ? null : buffer.ToArray();
    }

    private sealed class ValueWriter : INatsSerialize<ReadOnlyMemory<byte>>
    {
        public static readonly ValueWriter Instance = new();

        public void Serialize(IBufferWriter<byte> bufferWriter, ReadOnlyMemory<byte> value) => bufferWriter.Write(value.Span);
    }
}

/// <summary>
/// The clock of the servers, estimated: their time when the reader was created, advanced by the monotonic clock of this node. A message from
/// the future shows that their clock was set ahead. Thread-safe.
/// </summary>
internal sealed class LogClock(TimeProvider time)
{
    private readonly Lock _gate = new();
    private DateTimeOffset _base;
    private long _at;

    public DateTimeOffset Now
    {
        get
        {
            lock (_gate)
            {
                return _base == default ? time.GetUtcNow() : _base + time.GetElapsedTime(_at);
            }
        }
    }

    /// <param name="roundTrip">Within which the servers read their clock.</param>
    public void Set(DateTimeOffset now, TimeSpan roundTrip)
    {
        lock (_gate)
        {
            (_base, _at) = (now + (roundTrip / 2), time.GetTimestamp());
        }
    }

    /// <summary>The servers stored a message at this time.</summary>
    public void Saw(DateTimeOffset moment)
    {
        lock (_gate)
        {
            if (moment > _base + time.GetElapsedTime(_at))
            {
                (_base, _at) = (moment, time.GetTimestamp());
            }
        }
    }
}

/// <summary>Causes for the operator; the messages of the client library name its types.</summary>
internal static class NatsFailures
{
    private const string TlsScheme = "tls://";

    /// <returns>Null for an exception that no fault of a network or a server explains.</returns>
    public static string? Words(Exception fault)
    {
        for (Exception? e = fault; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case BusFaultException or UnresolvedHostException:
                    return e.Message;
                case NatsServerException server:
                    return server.IsAuthError ? $"the server refuses the credentials ({server.Error.ToLowerInvariant()})" : $"the server says: {server.Error}";
                case System.Security.Authentication.AuthenticationException:
                    return "TLS failed: its certificate or name is not trusted, or it wants a certificate of ours";
                case System.Security.Cryptography.CryptographicException or UnauthorizedAccessException or FileNotFoundException or DirectoryNotFoundException:
                    return $"read the files of [bus]: {e.Message}";
                case SocketException socket:
                    return socket.SocketErrorCode switch
                    {
                        SocketError.ConnectionRefused => "connection refused",
                        SocketError.ConnectionReset => "connection reset",
                        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.HostDown => "no route to it",
                        SocketError.TimedOut => "connecting timed out",
                        _ => $"the connection failed ({socket.SocketErrorCode})",
                    };
                case NatsJSApiException api:
                    return api.Error.Description;
                case NatsNoRespondersException or NatsJSPublishNoResponseException or NatsJSApiNoResponseException:
                    return "JetStream does not answer (is it enabled, does the stream exist, does the cluster have a leader?)";
                case OperationCanceledException or TimeoutException or NatsNoReplyException or NatsTimeoutException or NatsJSTimeoutException:
                    return "no answer within 5 s";
                default:
                    break;
            }
        }

        return fault is NatsException && fault.Message.StartsWith("can not connect", StringComparison.Ordinal) ? "it does not accept a NATS connection (does it want tls://, or is it another program?)"
            : fault is NatsException or IOException or ObjectDisposedException ? fault.Message
            : null;
    }

    /// <summary>Whether the server expects the other scheme; the client library does not say why it gave up.</summary>
    /// <param name="info">What the server said first; null when it said nothing.</param>
    public static string? OfScheme(string server, INatsServerInfo? info) => (info, server.StartsWith(TlsScheme, StringComparison.Ordinal)) switch
    {
        ({ TlsRequired: true }, false) => $"the server requires TLS (write \"{TlsScheme}{HostOf(server)}\" in [bus] servers)",
        ({ TlsRequired: false, TlsAvailable: false }, true) => $"the server offers no TLS, which \"{TlsScheme}\" requires (set up TLS there, or write \"nats://\")",
        _ => null,
    };

    /// <summary>The address without scheme, user and password.</summary>
    public static string HostOf(string server) => server[(server.IndexOf("://", StringComparison.Ordinal) is var at and >= 0 ? at + 3 : 0)..];
}

/// <summary>The bus cannot be used as it is; the message is for the operator.</summary>
internal sealed class BusFaultException(string message) : Exception(message);
