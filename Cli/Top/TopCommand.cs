using System.Collections.Concurrent;
using System.Globalization;
using Couic.Cli.Commands;
using Couic.Cli.Output;
using Couic.Cli.Screen;
using Couic.CommandLine;
using Couic.Cli.Values;

namespace Couic.Cli.Top;

/// <summary><c>top</c>: rates, live; on a terminal a full-screen view, elsewhere lines.</summary>
internal static class TopCommand
{
    private const double ShortestInterval = 0.1, LongestInterval = 3600;

    public static readonly CommandSpec Spec = new()
    {
        Name = "top",
        Summary = "Watch rates: dropped and passed packets, busiest entries and tags, tables, interfaces, peers",
        Details =
        [
            "On a terminal it fills the screen: q quits, s selects the order of the entries, / filters them by tag or network, p pauses, "
            + "Tab shows another page, ? explains the keys. Elsewhere, and with --count or --json, it prints one line per interval.",
            "It continues while the daemon is away, and shows that. A restart of the daemon resets its counters, so there is no rate over it.",
        ],
        Options =
        [
            new OptionSpec("interval", 'i', "SECONDS", "Time between two samples: 0.1 to 3600") { Default = "1" },
            new OptionSpec("count", 'n', "N", "Print N lines and end"),
        ],
        Examples = ["couicctl top", "couicctl top --interval 5 --count 12", "couicctl top --json | jq .dropped.packets_per_second"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        TimeSpan interval = Interval(invocation.Option("interval"));
        int? count = Count(invocation.Option("count"));
        bool isLines = count is not null || invocation.Style.Format != OutputFormat.Table || !invocation.Context.Terminal.OutputIsTerminal
            || invocation.Context.Environment("TERM") is null or "" or "dumb";
        using var source = new TopSource(invocation.Connect, invocation.Context.Clock);
        var model = new TopModel(invocation.Context.Clock);
        model.Add(source.Take(new TopQuery("rate", ""))); // fails as every other command does if there is no daemon
        return isLines ? RunLines(invocation, source, model, interval, count) : RunScreen(invocation.Context, source, model, interval);
    }

    private static int RunLines(Invocation invocation, TopSource source, TopModel model, TimeSpan interval, int? count)
    {
        CliContext context = invocation.Context;
        bool isJson = invocation.IsJson, isTsv = invocation.Style.Format == OutputFormat.Tsv;
        using Interrupts interrupts = context.CatchInterrupts();
        if (!isJson)
        {
            Write(isTsv ? TopLines.TsvHeader : TopLines.Header);
        }

        for (int line = 0; count is null || line < count; line++)
        {
            if (interrupts.Wait(interval))
            {
                break;
            }

            DateTimeOffset now = context.Clock.GetUtcNow();
            try
            {
                model.Add(source.Take(new TopQuery("rate", "")));
                Print(isJson ? TopLines.Json(model) : null, () => isTsv ? TopLines.Tsv(model) : TopLines.Text(model));
            }
            catch (CliException e)
            {
                model.Lose(e.Message, now);
                Print(isJson ? TopLines.Json(e.Message, now) : null, () => isTsv ? TopLines.Tsv(now) : TopLines.Text(e.Message, now));
            }
        }

        return model.Fault is null ? ExitStatus.Success : ExitStatus.Unreachable;

        void Print(byte[]? json, Func<string> text)
        {
            if (json is null)
            {
                Write(text());
                return;
            }

            context.Output.Write(json);
            context.Flush();
        }

        void Write(string text)
        {
            context.Out.WriteLine(text);
            context.Flush();
        }
    }

    private static int RunScreen(CliContext context, TopSource source, TopModel model, TimeSpan interval)
    {
        bool unicode = IsUnicode(context.Environment);
        var view = new TopView();
        var renderer = new TopRenderer(model, view, unicode);
        using var screen = new FullScreen(context, context.Style.HasColours);
        using var sampler = new TopSampler(source, context.Clock, interval, screen.Wake);
        var keys = new List<Key>();
        while (!view.IsEnding && !screen.IsEnding)
        {
            sampler.Deliver(model);
            (int Width, int Height) size = FullScreen.Size;
            screen.Draw(renderer.Draw(size.Width, size.Height, context.Clock.GetLocalNow()), size);
            keys.Clear();
            screen.Wait(TimeSpan.FromSeconds(1), keys);
            bool asksForOthers = false;
            foreach (Key key in keys)
            {
                asksForOthers |= view.Press(key);
            }

            sampler.Configure(new TopQuery(view.Order, view.Filter), view.IsPaused, asksForOthers);
        }

        return ExitStatus.Success;
    }

    /// <summary>By the variables of locale(7), the first that is set.</summary>
    private static bool IsUnicode(Func<string, string?> environment)
    {
        string locale = ((string[])["LC_ALL", "LC_CTYPE", "LANG"]).Select(environment).FirstOrDefault(value => !string.IsNullOrEmpty(value)) ?? "";
        return locale.Contains("UTF-8", StringComparison.OrdinalIgnoreCase) || locale.Contains("utf8", StringComparison.OrdinalIgnoreCase);
    }

    private static TimeSpan Interval(string? text)
    {
        double seconds = 1;
        return text is null || (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out seconds)
                && seconds is >= ShortestInterval and <= LongestInterval)
            ? TimeSpan.FromSeconds(seconds)
            : throw new UsageException($"interval \"{Printable.Quote(text)}\" is not a number of seconds from 0.1 to 3600");
    }

    private static int? Count(string? text) => text is null ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0 ? count
        : throw new UsageException($"count \"{Printable.Quote(text)}\" is not a number from 1 to {int.MaxValue}");
}

/// <summary>
/// Takes samples on a separate thread, because an answer may take long and keys must not wait for it. At most one sample is kept until
/// it is delivered. Disposing does not wait for the answer.
/// </summary>
internal sealed class TopSampler : IDisposable
{
    private readonly TopSource _source;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _interval;
    private readonly Action _notify;
    private readonly AutoResetEvent _change = new(false);
    private readonly ConcurrentQueue<Action<TopModel>> _results = new();
    private volatile TopQuery _query = new("rate", "");
    private volatile bool _isPaused;
    private volatile bool _isEnding;

    /// <param name="notify">Called when there is something to deliver.</param>
    public TopSampler(TopSource source, TimeProvider clock, TimeSpan interval, Action notify)
    {
        (_source, _clock, _interval, _notify) = (source, clock, interval, notify);
        new Thread(Run) { IsBackground = true, Name = "samples" }.Start();
    }

    /// <param name="now">Whether to take a sample at once.</param>
    public void Configure(TopQuery query, bool isPaused, bool now)
    {
        bool continues = _isPaused && !isPaused;
        (_query, _isPaused) = (query, isPaused);
        if (now || continues)
        {
            _change.Set();
        }
    }

    /// <summary>Applies what came since the last call.</summary>
    public void Deliver(TopModel model)
    {
        while (_results.TryDequeue(out Action<TopModel>? result))
        {
            result(model);
        }
    }

    public void Dispose()
    {
        _isEnding = true;
        _change.Set();
    }

    private void Run()
    {
        while (true)
        {
            _change.WaitOne(_interval);
            if (_isEnding)
            {
                return;
            }

            if (!_isPaused && _results.IsEmpty)
            {
                _results.Enqueue(Take());
                _notify();
            }
        }
    }

    /// <summary>No exception leaves the thread: it would end the process with the terminal as it is.</summary>
    private Action<TopModel> Take()
    {
        try
        {
            TopSample sample = _source.Take(_query);
            return model => model.Add(sample);
        }
        catch (Exception e)
        {
            DateTimeOffset now = _clock.GetUtcNow();
            string fault = e is CliException ? e.Message : $"internal error: {e.GetType().Name}: {e.Message}";
            return model => model.Lose(fault, now);
        }
    }
}
