using NATS.Client.Core;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;

namespace Couic.Bus;

/// <summary>The stream of the rules: how it is created, checked, read and deleted from.</summary>
internal static class NatsStream
{
    // Error codes of JetStream (server/errors.json).
    private const int StreamNotFound = 10059;
    private const int SequenceNotFound = 10057;
    private const int MessageNotFound = 10037;

    /// <summary>A reader that is not used for this long is removed by the server.</summary>
    private static readonly TimeSpan ReaderLife = TimeSpan.FromMinutes(1);

    public static string RulePrefix(string name) => $"{name}.rule.";

    public static NatsOpts Options(BusSettings settings, string server, NatsSockets sockets, string product) => new()
    {
        Url = server,
        Name = product,
        SocketConnectionFactory = sockets,
        ConnectTimeout = NatsSockets.ConnectLimit + TimeSpan.FromSeconds(1),
        AuthOpts = new NatsAuthOpts
        {
            Token = settings.Token,
            Username = settings.User,
            Password = settings.Password,
            NKeyFile = settings.NkeyFile,
            CredsFile = settings.CredentialsFile,
        },
        TlsOpts = new NatsTlsOpts
        {
            // Never opportunistic: an attacker on the path could withhold TLS.
            Mode = server.StartsWith("tls://", StringComparison.Ordinal) ? TlsMode.Require : TlsMode.Disable,
            CaFile = settings.CaFile,
            CertFile = settings.CertFile,
            KeyFile = settings.KeyFile,
        },
    };

    /// <summary>
    /// The last message of each subject, on disk. At a storage limit new subjects are refused, not old rules dropped. There are no ids of
    /// messages: the server's memory would grow with them.
    /// </summary>
    public static StreamConfig Config(string name, int replicas) => new(name, [RulePrefix(name) + ">"])
    {
        Description = "couic: the last value of each rule",
        MaxMsgsPerSubject = 1,
        Storage = StreamConfigStorage.File,
        Retention = StreamConfigRetention.Limits,
        Discard = StreamConfigDiscard.New,
        MaxMsgSize = BusLimits.MaxValueBytes,
        NumReplicas = replicas,
    };

    /// <summary>Checks that the stream keeps the last message of each subject; creates it if it is missing.</summary>
    /// <exception cref="BusFaultException">It exists and would lose rules.</exception>
    public static async Task EnsureAsync(INatsJSContext context, BusSettings settings, CancellationToken cancel)
    {
        StreamConfig found;
        try
        {
            found = (await context.GetStreamAsync(settings.Name, cancellationToken: cancel).ConfigureAwait(false)).Info.Config;
        }
        catch (NatsJSApiException e) when (e.Error.ErrCode == StreamNotFound)
        {
            found = (await context.CreateStreamAsync(Config(settings.Name, settings.Replicas), cancel).ConfigureAwait(false)).Info.Config;
        }

        string? fault = found.MaxMsgsPerSubject != 1 ? "it does not keep one message of each subject (max_msgs_per_subject must be 1)"
            : found.Subjects is null || !found.Subjects.Contains(RulePrefix(settings.Name) + ">") ? $"its subjects do not hold {RulePrefix(settings.Name)}>"
            : found.MaxAge > TimeSpan.Zero ? "it forgets messages by their age (max_age must be 0)"
            : found.Retention != StreamConfigRetention.Limits ? "it forgets messages that were read (retention must be limits)"
            : null;
        if (fault is not null)
        {
            throw new BusFaultException($"stream \"{settings.Name}\" cannot hold rules: {fault} (change it with the tools of NATS, or set another [bus] name)");
        }
    }

    /// <summary>
    /// An ephemeral consumer. It starts at a sequence, never at "the last of each subject": for that the server searches all sequences and
    /// blocks writers. The answer tells the server's time.
    /// </summary>
    public static async Task<INatsJSConsumer> CreateReaderAsync(
        INatsJSContext context, string name, ulong from, LogClock clock, CancellationToken cancel)
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        INatsJSConsumer consumer = await context.CreateOrUpdateConsumerAsync(
            name,
            new ConsumerConfig
            {
                DeliverPolicy = from > 1 ? ConsumerConfigDeliverPolicy.ByStartSequence : ConsumerConfigDeliverPolicy.All,
                OptStartSeq = from > 1 ? from : 0,
                AckPolicy = ConsumerConfigAckPolicy.None,
                MemStorage = true,
                NumReplicas = 1,
                InactiveThreshold = ReaderLife,
            },
            cancel).ConfigureAwait(false);
        clock.Set(consumer.Info.Created, System.Diagnostics.Stopwatch.GetElapsedTime(start));
        return consumer;
    }

    public static async Task DeleteAsync(INatsJSContext context, string name, ulong sequence, CancellationToken cancel)
    {
        try
        {
            await context.DeleteMessageAsync(name, new StreamMsgDeleteRequest { Seq = sequence, NoErase = true }, cancel).ConfigureAwait(false);
        }
        catch (NatsJSApiException e) when (e.Error.ErrCode is SequenceNotFound or MessageNotFound)
        {
            // A later message took its place, or another node deleted it.
        }
    }
}
