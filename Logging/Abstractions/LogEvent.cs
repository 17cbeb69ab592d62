using System.Text;
using Microsoft.Extensions.Logging;

namespace Couic.Logging.Abstractions;

/// <summary>What is always the same in one kind of line: put together once, so that a line is a few copies.</summary>
public sealed class LogEvent
{
    /// <param name="name">Stable, in lower_snake_case.</param>
    /// <param name="message">Printable ASCII; values belong in the fields.</param>
    /// <exception cref="ArgumentException">Name or message have other characters.</exception>
    public LogEvent(int number, string name, string message)
    {
        if (message.Any(c => c is < ' ' or > '~') || name.Length == 0 || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'))
        {
            throw new ArgumentException($"log event \"{name}\", \"{message}\": a name in lower_snake_case and printable ASCII are expected");
        }

        Id = new EventId(number, name);
        Name = Encoding.ASCII.GetBytes(name);
        Message = Encoding.ASCII.GetBytes(message);
        Text = Encoding.ASCII.GetBytes($"{message} event={name}");
    }

    public EventId Id { get; }

    internal byte[] Name { get; }

    internal byte[] Message { get; }

    /// <summary>Both, as a line for people has them.</summary>
    internal byte[] Text { get; }
}
