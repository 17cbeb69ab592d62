using System.Text.Json;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop list</c>, <c>ignore list</c>: streams the entries with constant memory.</summary>
internal static class EntryList
{
    /// <summary>Bytes of output per write.</summary>
    private const int FlushAt = 32 * 1024;

    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "list",
        Summary = $"List the entries of {policy.Name()}",
        Details =
        [
            "PATTERNS are separated by commas, and any of them may match. \"*\" at the start or the end of a pattern stands for anything; "
            + "case counts; an empty pattern matches entries without a tag.",
        ],
        Options =
        [
            new OptionSpec("quiet", 'q', null, "Print only networks, one per line"),
            new OptionSpec("tags", 't', "PATTERNS", "Only entries whose tag matches"),
            CommonOptions.JsonNotQuiet,
        ],
        Examples = [$"couicctl {policy.Name()} list", $"couicctl {policy.Name()} list -t 'ssh*,scanners'", $"couicctl {policy.Name()} list -q | wc -l"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        Policy policy = invocation.PolicyOfCommand();
        TagPatterns? patterns = invocation.Option("tags") is { } text ? TagPatterns.Parse(text) : null;
        using ApiClient api = invocation.Connect();
        Action<Stream> read = invocation.Has("json") ? stream => WriteJson(invocation, stream, patterns)
            : invocation.Has("quiet") ? stream => WriteQuiet(invocation, stream, patterns)
            : stream => WriteTable(invocation, policy, stream, patterns);
        api.Stream(HttpMethod.Get, EntryPath.Of(policy), null, read);
        return ExitStatus.Success;
    }

    private static void WriteTable(Invocation invocation, Policy policy, Stream stream, TagPatterns? patterns)
    {
        var rows = new EntryRows();
        JsonArrayReader.ForEach(stream, json =>
        {
            EntryLine entry = EntryLine.Parse(json);
            if (patterns?.Match(entry.Tag) ?? true)
            {
                rows.Add(entry);
            }
        });
        rows.Write(invocation.Out, policy, invocation.Context.Clock.GetUtcNow());
    }

    private static void WriteQuiet(Invocation invocation, Stream stream, TagPatterns? patterns)
    {
        Stream output = invocation.Context.Output;
        JsonArrayReader.ForEach(stream, json =>
        {
            EntryLine entry = EntryLine.Parse(json);
            if (patterns?.Match(entry.Tag) ?? true)
            {
                Span<byte> line = stackalloc byte[Cidr.MaxTextLength + 1];
                int length = entry.Cidr.Format(line);
                line[length++] = (byte)'\n';
                output.Write(line[..length]);
            }
        });
    }

    private static void WriteJson(Invocation invocation, Stream stream, TagPatterns? patterns)
    {
        Stream output = invocation.Context.Output;
        using (var writer = new Utf8JsonWriter(output, IndentedJson.Options))
        {
            writer.WriteStartArray();
            JsonArrayReader.ForEach(stream, json =>
            {
                if (patterns?.Match(EntryLine.Parse(json).Tag) ?? true)
                {
                    IndentedJson.Copy(json, writer);
                }

                if (writer.BytesPending > FlushAt)
                {
                    writer.Flush();
                }
            });
            writer.WriteEndArray();
        }

        output.WriteByte((byte)'\n');
    }
}
