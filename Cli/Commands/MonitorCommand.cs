using System.Text;
using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>monitor</c>.</summary>
internal static class MonitorCommand
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "monitor",
        Summary = "Show each change as it happens, until interrupted",
        Details =
        [
            "Shows changes of rules, sets, clients, interfaces and peers, as far as the token may read them. After a restart of the daemon it connects again and says which events it has missed.",
        ],
        Options =
        [
            new OptionSpec("policy", 'p', "POLICY", "Only events of this policy") { Kind = ValueKind.Policy },
            new OptionSpec("tag", 't', "TAG", "Only rules with this tag; \"*\" at either end stands for any text") { Kind = ValueKind.Tag },
            new OptionSpec("type", '\0', "TYPES", "Only these types: rule, set, client, interface, peer; several with commas"),
        ],
        Examples = ["couicctl monitor", "couicctl monitor --type rule -t 'ssh*'", "couicctl monitor --json | jq .cidr"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string? policy = invocation.Option("policy");
        CommonOptions.ThrowIfAny(policy is not null && !Policies.TryParse(policy, out _) ? $"policy \"{Printable.Quote(policy)}\": drop or ignore is expected" : null);
        using ApiClient api = invocation.Connect();
        return new EventPrinter(invocation, api, "/v1/events" + Query(invocation)).Run();
    }

    private static string Query(Invocation invocation)
    {
        string query = string.Join('&', ((string[])["policy", "tag", "type"])
            .Where(name => invocation.Option(name) is not null).Select(name => $"{name}={Uri.EscapeDataString(invocation.Option(name)!)}"));
        return query.Length == 0 ? "" : "?" + query;
    }
}

/// <summary>Prints the stream of events, and connects again when it ends.</summary>
internal sealed class EventPrinter(Invocation invocation, ApiClient api, string path)
{
    /// <summary>A stream is silent for 15 s at most; a longer silence means that the connection is dead.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(60);

    /// <summary>How often it looks whether its reader is gone, which no write shows while nothing happens.</summary>
    private static readonly TimeSpan ReaderCheck = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    /// <summary>Longest line; an event has fewer than two kilobytes.</summary>
    private const int MaxLine = 64 * 1024;

    private readonly bool _isJson = invocation.IsJson;
    private string? _last;
    private bool _isLost;

    public int Run()
    {
        while (true)
        {
            try
            {
                api.Stream(HttpMethod.Get, path, null, Print, headers: _last is null ? [("Accept", "application/x-ndjson")] : [("Accept", "application/x-ndjson"), ("Last-Event-ID", _last)]);
            }
            catch (CliException e) when (_last is not null && e.ExitStatus is ExitStatus.Unreachable)
            {
                // The daemon is not there yet.
            }

            if (invocation.Context.IsReaderGone())
            {
                return ExitStatus.Success;
            }

            if (!_isLost)
            {
                _isLost = true;
                invocation.Note("the connection has ended; connecting again (is the daemon restarting? systemctl status couic)");
            }

            if (invocation.Context.Wait(RetryInterval, CancellationToken.None))
            {
                return ExitStatus.Success;
            }
        }
    }

    /// <summary>Prints events until the stream ends; they are flushed whenever no more are there.</summary>
    private void Print(Stream stream)
    {
        var buffer = new byte[MaxLine];
        int length = 0;
        while (true)
        {
            int n = Read(stream, buffer.AsMemory(length));
            if (n <= 0)
            {
                return;
            }

            length += n;
            int start = 0;
            for (int end; (end = Array.IndexOf(buffer, (byte)'\n', start, length - start)) >= 0; start = end + 1)
            {
                PrintLine(buffer.AsSpan(start, end - start));
            }

            buffer.AsSpan(start, length - start).CopyTo(buffer);
            length -= start;
            if (length == buffer.Length)
            {
                throw new JsonException(); // the client turns it into an error message
            }

            invocation.Context.Flush();
        }
    }

    /// <summary>0 at the end of the stream, when it is silent for too long, or when nothing reads the output.</summary>
    private int Read(Stream stream, Memory<byte> buffer)
    {
        using var limit = new CancellationTokenSource(Silence);
        try
        {
            Task<int> reading = stream.ReadAsync(buffer, limit.Token).AsTask();
            while (!((IAsyncResult)reading).AsyncWaitHandle.WaitOne(ReaderCheck))
            {
                if (invocation.Context.IsReaderGone())
                {
                    limit.Cancel();
                }
            }

            return reading.GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
        {
            return 0;
        }
    }

    private void PrintLine(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty)
        {
            return; // the daemon shows that it is there
        }

        EventRecord one = JsonSerializer.Deserialize(line, WireJson.Default.EventRecord) ?? throw new JsonException();
        _last = one.Id;
        if (one.Type == "connected" && _isLost)
        {
            _isLost = false;
            invocation.Note("connected again");
        }

        if (_isJson)
        {
            invocation.Out.WriteLine(Encoding.UTF8.GetString(line));
        }
        else if (one.Type == "lost")
        {
            invocation.Out.WriteLine(one.Lost is { } lost ? $"-- {Quantity.Grouped(lost)} events are lost --" : "-- the daemon has restarted: events in between are lost --");
        }
        else if (one.Type != "connected")
        {
            invocation.Out.WriteLine(EventLine.Format(one, invocation.Context.Clock.LocalTimeZone, invocation.Context.Terminal));
        }
    }
}

/// <summary>An event on one line for people.</summary>
internal static class EventLine
{
    /// <summary>A narrower terminal gets the time without the date.</summary>
    private const int FullWidth = 100;

    public static string Format(EventRecord one, TimeZoneInfo zone, Terminal terminal)
    {
        int width = terminal.OutputIsTerminal ? terminal.Width() : int.MaxValue;
        DateTimeOffset time = TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Round((one.Time ?? 0) * 1000)), zone);
        string when = width < FullWidth ? $"{time:HH:mm:ss}" : $"{time:yyyy-MM-dd HH:mm:ss}";
        string what = one.Type == "rule" ? one.Policy ?? "" : one.Policy is null ? one.Type : $"{one.Type} {one.Policy}";
        string subject = one.Cidr ?? one.Name ?? "";
        string line = Printable.Escape($"{when}  {one.State ?? one.Action,-8}  {what,-10}  {subject,-18}  {string.Join(", ", More(one, zone))}".TrimEnd());
        return line.Length <= width ? line : line[..Math.Max(0, width - 1)] + "…";
    }

    private static IEnumerable<string> More(EventRecord one, TimeZoneInfo zone)
    {
        if (one.Tag is { } tag && one.Type == "rule")
        {
            yield return $"tag {tag}";
        }

        if (one.Expiration is > 0 and var expiration && one.Action is "created" or "updated")
        {
            yield return $"until {TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeSeconds((long)Math.Min(expiration, 253_402_300_799)), zone):yyyy-MM-dd HH:mm:ss}";
        }

        if (one.Entries is { } entries)
        {
            yield return $"{Quantity.Grouped(entries)} networks";
        }

        if (one.Added is { } added)
        {
            yield return $"{Quantity.Grouped(added)} added, {Quantity.Grouped(one.Removed ?? 0)} removed";
        }

        if (one.Group is { } group)
        {
            yield return $"group {group}";
        }

        if (one.By is { } by)
        {
            yield return one.Cause is null or "api" ? $"by {by}" : $"by {by} ({one.Cause})";
        }
        else if (one.Cause is "peer" && one.Type == "rule")
        {
            yield return "by a peer";
        }

        if (one.Reason is { } reason)
        {
            yield return reason;
        }

        if (one.Error is { } error)
        {
            yield return error;
        }
    }
}
